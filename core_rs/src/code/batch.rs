//! Many codes per call: [`LANES`] numbers side by side, optionally on several threads.

use super::cipher::{BlockCipher, LANES};
use super::feistel::{Base32Halves, DigitsHalves, Halves, Lanes};
use super::format::Format;
use super::slot::{Frame, SlotCipher};
use crate::error::{Error, Result};

/// Most codes of one call.
pub const BATCH_CODES_MAX: usize = 10_000_000;
/// Most threads of one call.
pub const BATCH_THREADS_MAX: usize = 256;

impl<C: BlockCipher> SlotCipher<C> {
    /// Writes the codes of `count` serials from `first` on into `out`, each
    /// [`Format::code_len`] bytes, without separators.
    ///
    /// The bytes do not depend on `threads` or on how a range is cut into calls.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the range leaves the domain, `out` has another length than
    /// `count` codes, or `count` or `threads` is out of bounds.
    pub fn encode_range(&self, first: u64, count: usize, out: &mut [u8], threads: usize) -> Result<()> {
        let width = self.format().code_len();
        check_batch(count, threads)?;
        let domain = self.format().domain();
        if first.checked_add(count as u64).is_none_or(|end| end > domain) {
            return Err(Error::invalid(
                "first",
                format!("{first} + {count} codes leave the domain of {domain}"),
            ));
        }
        if out.len() != count * width {
            return Err(Error::invalid(
                "out",
                format!("{} bytes; {count} codes of {width} characters need {}", out.len(), count * width),
            ));
        }
        let share = share_per_thread(count, threads);
        in_parallel(out.chunks_mut(share * width).enumerate(), |(index, out)| {
            let first = first + (index * share) as u64;
            match self.format() {
                Format::Base32 => self.encode_run::<Base32Halves>(first, out, Frame::write_base32),
                Format::Digits => self.encode_run::<DigitsHalves>(first, out, Frame::write_digits),
            }
        });
        Ok(())
    }

    /// Deciphers texts of [`Format::code_len`] bytes each that lie one after the other. A result
    /// is the serial or one of the `NOT_A_CODE_*` values; [`super::unpack_decoded`] tells.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if `texts` is not `out.len()` texts long, or `threads` is out of
    /// bounds.
    pub fn decode_packed(&self, texts: &[u8], out: &mut [u64], threads: usize) -> Result<()> {
        let width = self.format().code_len();
        check_batch(out.len(), threads)?;
        if texts.len() != out.len() * width {
            return Err(Error::invalid(
                "texts",
                format!(
                    "{} bytes; {} texts of {width} bytes have {}",
                    texts.len(),
                    out.len(),
                    out.len() * width
                ),
            ));
        }
        let share = share_per_thread(out.len(), threads);
        in_parallel(out.chunks_mut(share).zip(texts.chunks(share * width)), |(out, texts)| {
            self.decode_run(texts.chunks_exact(width), out);
        });
        Ok(())
    }

    /// Deciphers texts of any lengths, each read as [`super::parse`] reads it. Results as in
    /// [`Self::decode_packed`].
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if `out` has another length than `texts`, or `threads` is out of
    /// bounds.
    pub fn decode_many<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        out: &mut [u64],
        threads: usize,
    ) -> Result<()> {
        check_batch(texts.len(), threads)?;
        if texts.len() != out.len() {
            return Err(Error::invalid("out", format!("{} results for {} texts", out.len(), texts.len())));
        }
        let share = share_per_thread(out.len(), threads);
        in_parallel(out.chunks_mut(share).zip(texts.chunks(share)), |(out, texts)| {
            self.decode_run(texts.iter().map(AsRef::as_ref), out);
        });
        Ok(())
    }

    fn encode_run<H: Halves>(
        &self,
        mut first: u64,
        out: &mut [u8],
        write: impl Fn(&Frame, u32, u32, &mut [u8]),
    ) {
        let width = self.format().code_len();
        let mut lanes = Lanes::<LANES>::new();
        for out in out.chunks_mut(LANES * width) {
            let count = out.len() / width;
            for (lane, serial) in (0..count).zip(first..) {
                (lanes.upper[lane], lanes.lower[lane]) = H::split(serial);
            }
            lanes.encrypt::<H>(&self.base, &self.cipher, count);
            for ((out, &upper), &lower) in out.chunks_exact_mut(width).zip(&lanes.upper).zip(&lanes.lower) {
                write(&self.frame, upper, lower, out);
            }
            first += count as u64;
        }
    }

    fn decode_run<'t>(&self, texts: impl Iterator<Item = &'t [u8]>, out: &mut [u64]) {
        match self.format() {
            Format::Base32 => self.decode_lanes::<Base32Halves>(texts, out),
            Format::Digits => self.decode_lanes::<DigitsHalves>(texts, out),
        }
    }

    fn decode_lanes<'t, H: Halves>(&self, mut texts: impl Iterator<Item = &'t [u8]>, out: &mut [u64]) {
        let mut lanes = Lanes::<LANES>::new();
        for out in out.chunks_mut(LANES) {
            let mut failures = [None; LANES];
            for (lane, text) in (0..out.len()).zip(&mut texts) {
                let body = self.body_of(text);
                failures[lane] = body.err();
                (lanes.upper[lane], lanes.lower[lane]) = H::split(body.unwrap_or(0));
            }
            lanes.decrypt::<H>(&self.base, &self.cipher, out.len());
            for (lane, out) in out.iter_mut().enumerate() {
                *out = match failures[lane] {
                    Some(failure) => failure.packed(),
                    None => H::join(lanes.upper[lane], lanes.lower[lane]),
                };
            }
        }
    }
}

/// Refuses a batch before anything is allocated for it.
///
/// # Errors
/// [`Error::InvalidInput`] if `count` or `threads` is out of bounds.
pub fn check_batch(count: usize, threads: usize) -> Result<()> {
    if count > BATCH_CODES_MAX {
        return Err(Error::invalid(
            "count",
            format!("{count}; one call takes up to {BATCH_CODES_MAX} codes"),
        ));
    }
    if threads == 0 || threads > BATCH_THREADS_MAX {
        return Err(Error::invalid("threads", format!("{threads}; accepted are 1 to {BATCH_THREADS_MAX}")));
    }
    Ok(())
}

/// Codes per thread: whole lane groups, so that only the last thread has a tail.
fn share_per_thread(count: usize, threads: usize) -> usize {
    count.div_ceil(threads).next_multiple_of(LANES).max(LANES)
}

/// Runs every part on a thread of its own, the last one on the caller's.
fn in_parallel<T: Send>(parts: impl Iterator<Item = T>, run: impl Fn(T) + Sync) {
    let mut parts: Vec<T> = parts.collect();
    let Some(last) = parts.pop() else { return };
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(|| run(part));
        }
        run(last);
    });
}
