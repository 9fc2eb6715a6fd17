"""发: orders of codes and imports of foreign codes."""
