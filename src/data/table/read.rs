//! Reading a file or a stream into a table.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::{self, BufReader, Chain, Cursor, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::columns::{Growing, Kind, is_missing};
use super::names::quoted;
use super::records::{Record, Records, unreadable};
use super::{Header, Lines, ReadOptions, Table, unknown};
use crate::text::count;
use crate::{Error, Result};

/// Bytes at the start of a text from which its form is found out.
const SNIFFED: usize = 1 << 16;

/// What may divide cells. Comma comes last: it is also in text and in numbers.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

impl Table {
    /// Reads a file of rows and cells: CSV, TSV and their kin, perhaps gzipped.
    ///
    /// Cells may be quoted with `"`, and then hold delimiters, line ends and doubled quotes. Blanks around a
    /// cell, a byte order mark and blank lines are passed over. Lines end in LF, CRLF or CR.
    ///
    /// A column is numbers if at least half of its first 1,000 filled cells are; then every other one must
    /// be, too. Otherwise it is text.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such regular file, it cannot be read, or it changes meanwhile.
    /// [`Error::Table`], with the line, if a row has more or fewer cells than the first, a column of numbers
    /// holds something else, a number is infinite, a name is missing or comes twice, a quote is never closed,
    /// or a byte is not UTF-8. [`Error::Data`] if there are no rows, no text, or `options` name an unknown
    /// column; [`Error::Setting`] if the delimiter cannot be one.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Table> {
        read_file(path.as_ref(), options, None, &|| ())
    }

    /// The same from a stream; `name` stands for it in messages. A name that ends in `.tsv` is told apart as
    /// for files.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_reader(reader: impl Read, name: &str, options: &ReadOptions) -> Result<Table> {
        read_stream(reader, name, options, None)
    }
}

/// `wanted` are the columns that are of use, if not all are; `meanwhile` happens between opening and reading.
pub(super) fn read_file(
    path: &Path,
    options: &ReadOptions,
    wanted: Option<&Wanted<'_>>,
    meanwhile: &dyn Fn(),
) -> Result<Table> {
    let mut file = crate::file::open(path, "a file")?;
    let before = file.metadata().map_err(Error::io(path))?;
    meanwhile();
    let mut first = [0; 2];
    let gzip = file.read_exact(&mut first).is_ok() && first == [0x1f, 0x8b];
    file.rewind().map_err(Error::io(path))?;
    let name = path.display().to_string();
    let table = if gzip {
        let inner = name.strip_suffix(".gz").unwrap_or(&name);
        read_stream(MultiGzDecoder::new(BufReader::new(&file)), inner, options, wanted)
    } else {
        read_stream(&file, &name, options, wanted)
    };
    // What a change has torn is no error of the rows.
    let after = file.metadata().map_err(Error::io(path))?;
    if changed(&before, &after) {
        let why = "the file was changed while it was read; read it again when it is whole";
        return Err(Error::io(path)(io::Error::other(why)));
    }
    Ok(Table { file: name, ..table? })
}

fn changed(before: &Metadata, after: &Metadata) -> bool {
    let modified = |meta: &Metadata| meta.modified().ok();
    before.len() != after.len() || modified(before) != modified(after)
}

pub(super) fn read_stream(
    reader: impl Read,
    name: &str,
    options: &ReadOptions,
    wanted: Option<&Wanted<'_>>,
) -> Result<Table> {
    let mut blocks = Blocks::open(reader, name, options, wanted, false)?;
    let table = blocks.next(usize::MAX)?;
    table.ok_or_else(|| Error::Data(format!("{name}: there is a header and no row below it")))
}

/// The columns that are of use, where not all are.
pub(super) struct Wanted<'a> {
    /// Those that must be there.
    pub needed: Vec<&'a str>,
    /// One that may be.
    pub target: Option<&'a str>,
    /// Which of them are to be read as text.
    pub text: Vec<&'a str>,
}

impl Wanted<'_> {
    fn is_of_use(&self, name: &str) -> bool {
        self.needed.contains(&name) || self.target == Some(name)
    }
}

/// The rows of a table that comes in as a stream, block after block.
pub(super) struct Blocks<R> {
    records: Records<BufReader<Chain<Cursor<Vec<u8>>, R>>>,
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// The first row, until it is used, where it does not name the columns.
    first: Option<(u64, Vec<String>)>,
    header: bool,
    /// Whether that was found out.
    guessed: bool,
    /// Whether the stream is not to be waited for.
    live: bool,
    /// Rows of the blocks before.
    rows: usize,
    /// What is wrong with the row behind the last block.
    wrong: Option<Error>,
}

impl<R: Read> Blocks<R> {
    /// Reads as far as the names of the columns. `live`: what there is of a stream that has not ended is enough to look
    /// at.
    pub(super) fn open(
        mut reader: R,
        name: &str,
        options: &ReadOptions,
        wanted: Option<&Wanted<'_>>,
        live: bool,
    ) -> Result<Blocks<R>> {
        let start = sniff(&mut reader, live).map_err(|e| unreadable(name, 1, &e))?;
        check_start(name, &start)?;
        let bom = b"\xef\xbb\xbf";
        let text = start.strip_prefix(bom).unwrap_or(&start);
        let delimiter = match options.delimiter {
            Some(b @ (b'"' | b'\r' | b'\n')) => {
                let why = format!("{:?} cannot divide cells", char::from(b));
                return Err(Error::setting("delimiter", why));
            }
            Some(delimiter) => delimiter,
            None if [".tsv", ".tab"].iter().any(|end| name.to_lowercase().ends_with(end)) => b'\t',
            None => find_delimiter(text, live),
        };
        let newline = if text.contains(&b'\r') && !text.contains(&b'\n') { b'\r' } else { b'\n' };
        let skipped = (start.len() - text.len()) as u64;
        let mut start = Cursor::new(start);
        start.set_position(skipped);
        let input = BufReader::with_capacity(SNIFFED, start.chain(reader));
        let mut records = Records::new(name, input, delimiter, newline);
        let Some(first) = records.next()? else {
            return Err(Error::Data(format!("{name}: the file is empty; expected rows of cells")));
        };
        let cells: Vec<String> =
            (0..first.cells).map(|i| records.cell(first, i).map(String::from)).collect::<Result<_>>()?;
        let header = match options.header {
            Header::Present => true,
            Header::Absent => false,
            Header::Auto => !cells.iter().any(|cell| !is_missing(cell) && cell.parse::<f64>().is_ok()),
        };
        let names: Vec<String> =
            if header { cells.clone() } else { (1..=cells.len()).map(|i| format!("column_{i}")).collect() };
        check_names(name, first.line, &names)?;
        if let Some(missing) = options.text.iter().find(|text| !names.contains(text)) {
            return Err(unknown(name, &names, missing));
        }
        if let Some(wanted) = wanted
            && let Some(missing) = wanted.needed.iter().find(|needed| !names.iter().any(|n| n == *needed))
        {
            return Err(unknown(name, &names, missing));
        }
        let kind = |name: &String| match wanted {
            Some(wanted) if wanted.text.contains(&name.as_str()) => Kind::Text,
            Some(wanted) if !wanted.is_of_use(name) => Kind::Skipped,
            _ if options.text.contains(name) => Kind::Text,
            _ => Kind::Decided,
        };
        let kinds = names.iter().map(kind).collect();
        let guessed = options.header == Header::Auto && !header;
        let first = (!header).then_some((first.line, cells));
        Ok(Blocks { records, names, kinds, first, header, guessed, live, rows: 0, wrong: None })
    }

    /// The next rows: `most` at most, and of a live stream what there is now. `None` at the end. Of a live stream, an error
    /// in a row comes when the rows before it have been handed out.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Table>> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        let named = self.names.iter().zip(&self.kinds);
        let mut columns: Vec<Growing> = named.map(|(name, kind)| Growing::new(name.clone(), *kind)).collect();
        let (mut lines, mut rows, file) = (Lines::default(), 0, self.records.file().to_string());
        let guessed = self.guessed && self.rows == 0;
        let refuse = |lines: &Lines, refused: super::columns::Refused| {
            let line = lines.of(refused.row);
            let hint = if guessed && refused.row == 0 {
                " (or, if this line names the columns, say so)"
            } else {
                ""
            };
            Error::Table { file: file.clone(), line, why: refused.why + hint }
        };
        if let Some((line, cells)) = self.first.take() {
            lines.push(0, line);
            for (column, cell) in columns.iter_mut().zip(&cells) {
                column.push(0, cell).map_err(|r| refuse(&lines, r))?;
            }
            rows = 1;
        }
        while rows < most && (rows == 0 || !self.live || self.records.has_more_at_hand()) {
            let width = columns.len();
            let found = match self.records.next() {
                Ok(None) => break,
                // A line of blanks.
                Ok(Some(record))
                    if record.cells == 1 && width > 1 && self.records.cell(record, 0)?.is_empty() =>
                {
                    continue;
                }
                Ok(Some(record)) if record.cells != width => Err(ragged(&file, record, width, self.header)),
                Ok(Some(record)) => Ok(record),
                Err(error) => Err(error),
            };
            let record = match found {
                Ok(record) => record,
                Err(error) if rows > 0 && self.live => {
                    self.wrong = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            lines.push(rows, record.line);
            for (i, column) in columns.iter_mut().enumerate() {
                column.push(rows, self.records.cell(record, i)?).map_err(|r| refuse(&lines, r))?;
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        self.rows += rows;
        let columns = columns.into_iter().filter_map(|column| column.finish(rows).transpose());
        let columns = columns.map(|column| column.map_err(|r| refuse(&lines, r)));
        Ok(Some(Table { columns: columns.collect::<Result<_>>()?, file, rows, lines }))
    }
}

/// The first bytes of a stream, from which it is told how it is written; of one that is `live`, no more than two lines
/// and what came with them: whoever writes it may be waiting for an answer.
fn sniff(reader: &mut impl Read, live: bool) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    if !live {
        reader.take(SNIFFED as u64).read_to_end(&mut start)?;
        return Ok(start);
    }
    let (mut block, mut lines) = (vec![0; SNIFFED], 0);
    while start.len() < SNIFFED && lines < 2 {
        let room = SNIFFED - start.len();
        let read = match reader.read(&mut block[..room]) {
            Ok(0) => break,
            Ok(read) => &block[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        lines += read.iter().filter(|byte| **byte == b'\n').count();
        start.extend_from_slice(read);
    }
    Ok(start)
}

/// An error for what begins as no text does.
fn check_start(name: &str, start: &[u8]) -> Result<()> {
    let refuse = |what: &str| Err(Error::Data(format!("{name}: {what}")));
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return refuse("the file is in UTF-16; save it in UTF-8");
    }
    if start.starts_with(b"PK\x03\x04") {
        return refuse("the file is a zip archive, perhaps of a spreadsheet; save the sheet as CSV");
    }
    if start.contains(&0) {
        return refuse("the file is binary: it holds a zero byte; expected rows of text");
    }
    Ok(())
}

/// The first delimiter that is in each of the first ten lines as often as in the others; without one, the
/// most frequent in the first line; a comma where there is none. Of a stream that is `live` two lines are looked at: how many
/// more have come with them is a matter of chance.
fn find_delimiter(text: &[u8], live: bool) -> u8 {
    let lines = first_lines(text, live);
    let Some(first) = lines.first() else { return b',' };
    let alike = |at: &usize| first[*at] > 0 && lines.iter().all(|line| line[*at] == first[*at]);
    let best = (0..DELIMITERS.len()).find(alike);
    let best = best.or_else(|| (0..DELIMITERS.len()).filter(|at| first[*at] > 0).max_by_key(|at| first[*at]));
    best.map_or(b',', |at| DELIMITERS[at])
}

/// How often each delimiter is in the first lines, outside of quotes. A last line that may be cut is left
/// out, unless it is the only one.
fn first_lines(text: &[u8], live: bool) -> Vec<[usize; 4]> {
    let most = if live { 2 } else { 10 };
    let mut lines = Vec::new();
    let (mut line, mut quoted, mut blank) = ([0; 4], false, true);
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => {
                if !blank {
                    lines.push(line);
                }
                (line, blank) = ([0; 4], true);
                if lines.len() == most {
                    return lines;
                }
                continue;
            }
            _ if !quoted => {
                if let Some(at) = DELIMITERS.iter().position(|d| d == byte) {
                    line[at] += 1;
                }
            }
            _ => {}
        }
        blank = false;
    }
    if !blank && (lines.is_empty() || !live && text.len() < SNIFFED - 3) {
        lines.push(line);
    }
    lines
}

/// An error unless all names are there and differ.
fn check_names(file: &str, line: u64, names: &[String]) -> Result<()> {
    let mut places = HashMap::new();
    for (i, name) in names.iter().enumerate() {
        let at = i + 1;
        let refuse = |why| Err(Error::Table { file: file.into(), line, why });
        if name.is_empty() {
            return refuse(format!(
                "column {at} has no name; name it, or leave it out if it only counts the rows"
            ));
        }
        if let Some(before) = places.insert(name, at) {
            return refuse(format!("columns {before} and {at} are both named {}; rename one", quoted(name)));
        }
    }
    Ok(())
}

fn ragged(file: &str, record: Record, expected: usize, header: bool) -> Error {
    let cells = count(record.cells, "cell");
    let first = if header { "the header" } else { "the first row" };
    let why = format!("the row has {cells}, {first} has {expected}");
    Error::Table { file: file.into(), line: record.line, why }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn delimiters() {
        let cases: [(&str, u8); 12] = [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2\n", b';'),
            ("1,5;2,5\n3,5;4,5\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b|c\n1|2|3", b'|'),
            ("a\n1\n2\n", b','),
            ("", b','),
            ("\n\n", b','),
            ("a,b\n\"x;y\",1\n\"z;\"\"\n;\",2\n", b','),
            ("name,note\nx,one; two\ny,three\n", b','),
            ("a,b,c\n1,2\n", b','),
            ("a;b;c", b';'),
        ];
        for (text, delimiter) in cases {
            assert_eq!(find_delimiter(text.as_bytes(), false), delimiter, "{text:?}");
        }
    }

    /// Wherever a stream is cut behind its second line, the same.
    #[test]
    fn the_delimiter_of_a_stream() {
        let text = "x;a, b, c;y\n1;2;3\n4;5;6\n";
        for cut in 18..=text.len() {
            assert_eq!(find_delimiter(&text.as_bytes()[..cut], true), b';', "{cut}");
        }
    }

    #[test]
    fn a_file_that_changes_is_an_error() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let change = |change: &dyn Fn(&Path)| {
            fs::write(&path, "a,b\n1,2\n3,4\n").unwrap();
            read_file(&path, &ReadOptions::default(), None, &|| change(&path))
        };
        assert_eq!(change(&|_| ()).unwrap().len(), 2);
        let grow = |path: &Path| {
            let mut file = File::options().append(true).open(path).unwrap();
            file.write_all(b"5,6\n").unwrap();
        };
        let shrink = |path: &Path| File::options().write(true).open(path).unwrap().set_len(9).unwrap();
        let rewrite = |path: &Path| {
            let mut file = File::options().write(true).open(path).unwrap();
            file.write_all(b"a,b\n9,9\n9,9\n").unwrap();
            file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
        };
        for changer in [&grow as &dyn Fn(&Path), &shrink, &rewrite] {
            let error = change(changer).unwrap_err().to_string();
            assert!(error.contains("t.csv: the file was changed while it was read"), "{error}");
        }
    }
}
