//! The contents of a gzip file: its members one behind the other, and zeros behind any of them.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Reads all members as one stream. Zeros behind a member are passed over, as `gzip` and Python do: they
/// fill up the last block on a tape.
pub(super) struct Members<R: BufRead> {
    /// `None` once the last member has been read.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(reader: R) -> Members<R> {
        Members { member: Some(GzDecoder::new(reader)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        // A loop: a member may be empty, and many of them may follow each other.
        while let Some(member) = &mut self.member {
            let got = member.read(out)?;
            if got > 0 {
                return Ok(got);
            }
            // Its checksum has been compared.
            let next = pass_zeros(member.get_mut())?;
            let reader = self.member.take().map(GzDecoder::into_inner);
            match next {
                // The first byte of a member.
                Some(0x1f) => self.member = reader.map(GzDecoder::new),
                Some(_) => {
                    let why = "what follows is neither another gzip member nor zeros";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                None => {}
            }
        }
        Ok(0)
    }
}

/// Passes over zeros; the byte behind them, which stays unread, or `None` at the end.
fn pass_zeros(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let held = reader.fill_buf()?;
        if held.is_empty() {
            return Ok(None);
        }
        let zeros = held.iter().take_while(|byte| **byte == 0).count();
        let next = held.get(zeros).copied();
        reader.consume(zeros);
        if next.is_some() {
            return Ok(next);
        }
    }
}
