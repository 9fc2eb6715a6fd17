# Every target sets up what it needs first; work whose inputs are unchanged is skipped.
PYTHON ?= python3
PORT ?= 8000
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.PHONY: help
