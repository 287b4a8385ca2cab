//! The header of an array: the text of a Python dictionary.

use crate::text;

/// What a header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub descr: String,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

/// No array of NumPy has more dimensions.
const MOST_DIMENSIONS: usize = 64;

/// Reads a header; the error says what is wrong.
pub(super) fn parse(text: &str) -> Result<Header, String> {
    let mut rest = Rest(text.trim());
    rest.expect("{")?;
    let (mut descr, mut order, mut shape) = (None, None, None);
    while !rest.take("}") {
        let key = rest.quoted()?;
        rest.expect(":")?;
        match key {
            "descr" => descr = Some(rest.descr()?),
            "fortran_order" => order = Some(rest.truth()?),
            "shape" => shape = Some(rest.sizes()?),
            other => return Err(format!("it has a key `{}`", text::printable(other))),
        }
        if !rest.take(",") {
            rest.expect("}")?;
            break;
        }
    }
    if !rest.0.is_empty() {
        return Err("there is something behind its dictionary".into());
    }
    match (descr, order, shape) {
        (Some(descr), Some(fortran_order), Some(shape)) => Ok(Header { descr, fortran_order, shape }),
        _ => Err("it lacks descr, fortran_order or shape".into()),
    }
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, token: &str) -> bool {
        match self.0.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.0 = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            return Ok(());
        }
        let found: String = self.0.chars().take(20).collect();
        Err(format!("`{token}` is expected at `{}`", text::printable(&found)))
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        let quote = if self.take("'") { '\'' } else { self.expect("\"").map(|()| '"')? };
        let (inner, rest) = self.0.split_once(quote).ok_or("a text has no end")?;
        self.0 = rest.trim_start();
        Ok(inner)
    }

    fn descr(&mut self) -> Result<String, String> {
        if self.0.starts_with('[') {
            return Err("it is an array of records: store each field as an array of its own".into());
        }
        self.quoted().map(str::to_string)
    }

    fn truth(&mut self) -> Result<bool, String> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        self.expect("(")?;
        let mut sizes = Vec::new();
        while !self.take(")") {
            let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (digits, rest) = self.0.split_at(end);
            let size = digits.parse().map_err(|_| format!("`{}` is no size", text::printable(digits)))?;
            sizes.push(size);
            if sizes.len() > MOST_DIMENSIONS {
                return Err(format!("it has more than {MOST_DIMENSIONS} dimensions"));
            }
            // Of Python 2.
            self.0 = rest.strip_prefix('L').unwrap_or(rest).trim_start();
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them() {
        let found = parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }    \n").unwrap();
        assert_eq!(found, Header { descr: "<f8".into(), fortran_order: false, shape: vec![3, 4] });
        let found = parse("{\"shape\": (5L,), 'fortran_order':True,'descr':'|u1'}").unwrap();
        assert_eq!(found, Header { descr: "|u1".into(), fortran_order: true, shape: vec![5] });
        assert!(parse("{'descr': '<U3', 'fortran_order': False, 'shape': ()}").unwrap().shape.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", "`{` is expected"),
            ("{'descr': '<f8'", "`}` is expected"),
            ("{'descr': '<f8}", "no end"),
            ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", "records"),
            ("{'descr': '<f8', 'fortran_order': No, 'shape': (1,)}", "`False` is expected"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", "`` is no size"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", "is no size"),
            ("{'descr': '<f8', 'fortran_order': False}", "lacks"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} + f()", "behind"),
            ("{'code': 'x'}", "a key `code`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let many = format!("{{'shape': ({}), }}", "1,".repeat(100));
        assert!(parse(&many).unwrap_err().contains("more than 64 dimensions"));
    }
}
