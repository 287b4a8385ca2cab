//! Tables of text: the shipped data sets, what can be wrong with a file, and one coding for all parts.

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tapegrad::Error;
use tapegrad::data::table::{
    Encoded, Header, Missing, ReadOptions, Schema, Table, TableOptions, Task, Values,
};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

fn table(text: &str) -> tapegrad::Result<Table> {
    Table::from_reader(text.as_bytes(), "t.csv", &ReadOptions::default())
}

fn encode(text: &str, options: &TableOptions) -> tapegrad::Result<(Schema, Encoded)> {
    let table = table(text)?;
    let schema = Schema::fit(&table, options)?;
    let encoded = schema.encode(&table)?;
    Ok((schema, encoded))
}

#[track_caller]
fn fails(result: Result<impl Sized, Error>, expected: &str) {
    let Err(error) = result else { panic!("no error: {expected}") };
    let message = error.to_string();
    assert_eq!(message, expected);
    assert!(!message.contains('\n'));
}

/// Rows, features and a weighted sum of all numbers, by NumPy from scikit-learn's copies.
#[test]
fn the_shipped_data_sets_are_those_of_scikit_learn() {
    type Case = (&'static str, &'static str, usize, usize, f64, &'static [&'static str], &'static [usize]);
    let cases: [Case; 4] = [
        ("iris.csv", "species", 150, 4, 12514.9, &["setosa", "versicolor", "virginica"], &[50, 50, 50]),
        ("wine.csv", "cultivar", 178, 13, 972_662.643_996, &["class_0", "class_1", "class_2"], &[59, 71, 48]),
        (
            "breast_cancer.csv",
            "diagnosis",
            569,
            30,
            6_364_154.895_655_300_5,
            &["benign", "malignant"],
            &[357, 212],
        ),
        (
            "digits.csv",
            "digit",
            1797,
            64,
            3_368_250.0,
            &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
            &[178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
        ),
    ];
    let weighted = |rows: &[f64], d: usize| -> f64 {
        rows.iter().enumerate().map(|(at, x)| x * ((at / d * 7 + at % d * 3) % 11 + 1) as f64).sum()
    };
    for (file, target, rows, features, sum, classes, counts) in cases {
        let table = Table::read(shipped(file), &ReadOptions::default()).unwrap();
        let schema = Schema::fit(&table, &TableOptions::target(target)).unwrap();
        let data = schema.encode(&table).unwrap().data;
        assert_eq!((data.len(), data.features()), (rows, features), "{file}");
        assert!((weighted(&data.to_rows(), features) / sum - 1.0).abs() < 1e-13, "{file}");
        assert_eq!(schema.class_names(), classes);
        assert_eq!(data.class_counts(), counts);
        assert_eq!(data.feature_names().unwrap().len(), features);
    }
    let table = Table::read(shipped("diabetes.csv"), &ReadOptions::default()).unwrap();
    let schema = Schema::fit(&table, &TableOptions::target("progression")).unwrap();
    assert_eq!(schema.task(), Some(Task::Regression));
    let data = schema.encode(&table).unwrap().data;
    assert_eq!((data.len(), data.features()), (442, 10));
    assert!((weighted(&data.to_rows(), 10) / 1_657_706.536_6 - 1.0).abs() < 1e-13);
    let targets = data.targets().unwrap();
    assert_eq!(targets.iter().sum::<f64>(), 67_243.0);
    assert_eq!(targets.iter().enumerate().map(|(i, y)| y * (i % 7 + 1) as f64).sum::<f64>(), 266_503.0);
    assert_eq!(
        data.feature_names().unwrap(),
        ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    );
}

#[test]
fn forms_of_the_same_table() {
    let expected = ["x", "name", "y"];
    let forms = [
        "x,name,y\n1,a,2\n3,b,4\n",
        "x,name,y\r\n1,a,2\r\n3,b,4",
        "x,name,y\r1,a,2\r3,b,4\r",
        "\u{feff}x,name,y\n1,a,2\n3,b,4\n",
        "\n\nx;name;y\n\n1;a;2\n   \n3;b;4\n\n",
        "x\tname\ty\n1\ta\t2\n3\tb\t4\n",
        "x|name|y\n1|a|2\n3|b|4\n",
        "\"x\",\"name\",\"y\"\n\"1\",\"a\",\"2\"\n\"3\",\"b\",\"4\"\n",
        " x , name , y \n 1 , a , 2 \n 3 , b , 4 \n",
    ];
    for form in forms {
        let table = table(form).unwrap();
        let names: Vec<&str> = table.columns().iter().map(|column| column.name()).collect();
        assert_eq!(names, expected, "{form:?}");
        let Values::Numbers(x) = table.column("x").unwrap().values() else { panic!() };
        let Values::Numbers(y) = table.column("y").unwrap().values() else { panic!() };
        assert_eq!((x.as_slice(), y.as_slice()), (&[1.0, 3.0][..], &[2.0, 4.0][..]), "{form:?}");
        assert_eq!(table.column("name").unwrap().texts().unwrap(), [("a", 1), ("b", 1)]);
    }
    // The extension says tab, whatever the first lines look like.
    let tabs = Table::from_reader("a,b\tc\n1,5\t2\n".as_bytes(), "t.tsv", &ReadOptions::default()).unwrap();
    assert_eq!(tabs.columns().len(), 2);
}

#[test]
fn quoted_cells_and_their_lines() {
    let table = table("name,x\n\"one, \"\"two\"\"\nthree\",1\nb,2\n\n\nc,3\n").unwrap();
    assert_eq!(table.column("name").unwrap().texts().unwrap()[2], ("one, \"two\"\nthree", 1));
    assert_eq!([table.line(0), table.line(1), table.line(2)], [2, 4, 7]);
}

#[test]
fn with_and_without_a_header() {
    let names = |text: &str, header| {
        let options = ReadOptions { header, ..ReadOptions::default() };
        let table = Table::from_reader(text.as_bytes(), "t.csv", &options).unwrap();
        let names: Vec<String> = table.columns().iter().map(|column| column.name().to_string()).collect();
        (names.join(" "), table.len())
    };
    assert_eq!(names("a,b\n1,2\n", Header::Auto), ("a b".into(), 1));
    assert_eq!(names("5.1,setosa\n4.9,setosa\n", Header::Auto), ("column_1 column_2".into(), 2));
    assert_eq!(names("a,b\nc,d\n", Header::Absent), ("column_1 column_2".into(), 2));
    assert_eq!(names("1,2\n3,4\n", Header::Present), ("1 2".into(), 1));
    // A header with a number among the names is taken for a row; the error says so.
    fails(
        table("year,2020\n1,2\n3,4\n"),
        "t.csv: line 1: column \"column_1\" has numbers, but \"year\" is none; mend it, or read the column as \
         text (or, if this line names the columns, say so)",
    );
}

#[test]
fn files_that_are_wrong() {
    fails(table(""), "t.csv: the file is empty; expected rows of cells");
    fails(table("\n\r\n\n"), "t.csv: the file is empty; expected rows of cells");
    fails(table("a,b\n"), "t.csv: there is a header and no row below it");
    fails(table("a,b,c\n1,2,3\n\n4,5\n"), "t.csv: line 4: the row has 2 cells, the header has 3");
    fails(table("1,2\n3\n"), "t.csv: line 2: the row has 1 cell, the first row has 2");
    fails(table("a,b,a\n1,2,3\n"), "t.csv: line 1: columns 1 and 3 are both named \"a\"; rename one");
    fails(
        table(",a\n0,1\n"),
        "t.csv: line 1: column 1 has no name; name it, or leave it out if it only counts the rows",
    );
    fails(table("a,b\n1,\"2\n3,4\n"), "t.csv: line 2: a quote is opened in this row and never closed");
    fails(
        table("a,b\n1,2\n3,inf\n"),
        "t.csv: line 3: column \"b\": \"inf\" is not finite; mend it or leave the row out",
    );
    let read = |bytes: &[u8]| Table::from_reader(bytes, "t.csv", &ReadOptions::default());
    fails(read(b"\xff\xfea\0,\0"), "t.csv: the file is in UTF-16; save it in UTF-8");
    fails(read(b"a,b\n1,2\0\n"), "t.csv: the file is binary: it holds a zero byte; expected rows of text");
    fails(
        read(b"PK\x03\x04..."),
        "t.csv: the file is a zip archive, perhaps of a spreadsheet; save the sheet as CSV",
    );
    fails(
        read(b"a,b\n1,x\n2,\xfc\n"),
        "t.csv: line 3: column 2: byte fc is not UTF-8; save the file in that encoding",
    );
    // The number that is a text, far down.
    let mut long = String::from("x,y\n");
    (2..=100_000).for_each(|line| long += if line == 70_001 { "1,O\n" } else { "1,0\n" });
    fails(
        table(&long),
        "t.csv: line 70001: column \"y\" has numbers, but \"O\" is none; mend it, or read the column as text",
    );
    let unknown = ReadOptions { text: vec!["zipp".into()], ..ReadOptions::default() };
    fails(
        Table::from_reader("zip,x\n01,2\n".as_bytes(), "t.csv", &unknown),
        "t.csv: there is no column \"zipp\"; did you mean \"zip\"?",
    );
    let quote = ReadOptions { delimiter: Some(b'"'), ..ReadOptions::default() };
    assert!(matches!(
        Table::from_reader("a\n1\n".as_bytes(), "t.csv", &quote),
        Err(Error::Setting { name: "delimiter", .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    for (path, what) in
        [(folder.path().to_path_buf(), "folder"), (folder.path().join("none.csv"), "none.csv")]
    {
        let error = Table::read(&path, &ReadOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().contains(what), "{error}");
    }
}

#[test]
fn packed_files_are_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.tsv.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"a,b\tc\n1,2\t3\n").unwrap();
    let packed = gzip.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    let table = Table::read(&path, &ReadOptions::default()).unwrap();
    assert_eq!((table.columns().len(), table.len()), (2, 1));
    std::fs::write(&path, &packed[..packed.len() - 5]).unwrap();
    assert!(Table::read(&path, &ReadOptions::default()).is_err());
}

#[test]
fn targets_that_are_wrong() {
    let fit = |text: &str, options: &TableOptions| encode(text, options).map(|_| ());
    let iris = "petal_length,petal_width,species\n1,2,a\n3,4,b\n1,2,a\n3,4,b\n";
    fails(
        fit(iris, &TableOptions::target("specie")),
        "t.csv: there is no column \"specie\"; did you mean \"species\"?",
    );
    fails(
        fit(iris, &TableOptions::target("colour")),
        "t.csv: there is no column \"colour\"; there are petal_length, petal_width, species",
    );
    let dropped = TableOptions { drop: vec!["petal_lenght".into()], ..TableOptions::target("species") };
    fails(fit(iris, &dropped), "t.csv: there is no column \"petal_lenght\"; did you mean \"petal_length\"?");
    let target = TableOptions { drop: vec!["species".into()], ..TableOptions::target("species") };
    fails(fit(iris, &target), "drop: column \"species\" is the target and cannot be left out");
    fails(fit("y\n1\n2\n", &TableOptions::target("y")), "t.csv: no column is left for the features");
    let options = TableOptions::target("y");
    fails(
        fit("x,y\n1,a\n2,a\n", &options),
        "t.csv: column \"y\" has one class only, \"a\"; there is nothing to tell apart",
    );
    fails(
        fit("x,y\n1,a\n2,a\n\n3,b\n", &options),
        "t.csv: line 5: column \"y\": class \"b\" has this row only, but training and test need one each; leave \
         the row out, or make it a regression if the target is a quantity",
    );
    let regression = TableOptions { task: Task::Regression, ..options.clone() };
    fails(
        fit("x,y\n1,a\n2,b\n", &regression),
        "t.csv: line 2: column \"y\": \"a\" is not a number, which the target of a regression must be",
    );
    let classes = TableOptions { task: Task::Classification, ..options };
    assert!(fit("x,y\n1,1.5\n2,2.5\n3,2.5\n", &classes).unwrap_err().to_string().contains("line 2"));
}

#[test]
fn the_task_follows_from_the_target() {
    let task = |targets: &[&str]| {
        let rows: String = targets.iter().map(|y| format!("0,{y}\n")).collect();
        let table = table(&format!("x,y\n{rows}")).unwrap();
        Schema::fit(&table, &TableOptions::target("y")).unwrap().task().unwrap()
    };
    assert_eq!(task(&["a", "b", "a", "b"]), Task::Classification);
    assert_eq!(task(&["0", "1", "0", "1"]), Task::Classification);
    assert_eq!(task(&["1", "2", "3", "1", "2", "3"]), Task::Classification);
    assert_eq!(task(&["-1", "1", "1", "-1"]), Task::Classification);
    assert_eq!(task(&["0.0", "1.0", "0.0", "1.0"]), Task::Classification);
    for quantities in [
        &["0", "1.5", "0", "1.5"][..],
        &["0", "2", "0", "2"],
        &["3", "4", "3", "4"],
        &["0", "1", "2", "3"],
        &["7", "7", "7"],
    ] {
        assert_eq!(task(quantities), Task::Regression, "{quantities:?}");
    }
    let many = |classes: usize| {
        let targets: Vec<String> = (0..3 * classes).map(|i| (i % classes).to_string()).collect();
        task(&targets.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!((many(20), many(21)), (Task::Classification, Task::Regression));
    // Said outright, everything goes.
    let options = TableOptions { task: Task::Classification, ..TableOptions::target("y") };
    let (schema, encoded) = encode("x,y\n1,2.5\n2,-3\n3,2.5\n4,-3\n", &options).unwrap();
    assert_eq!(schema.class_names(), ["-3", "2.5"]);
    assert_eq!(encoded.data.labels().unwrap(), [1, 0, 1, 0]);
}

#[test]
fn missing_cells() {
    let text = "x,colour,y\n1,red,5\n,blue,6\n4,?,7\n1,red,\n6,blue,9.5\n";
    let options = |missing| TableOptions { missing, ..TableOptions::target("y") };
    fails(
        encode(text, &options(Missing::Error)),
        "t.csv: line 3: column \"x\": the cell is missing; fill it, take the column's mean, or drop such rows",
    );
    fails(
        encode(text, &options(Missing::Mean)),
        "t.csv: line 5: column \"y\": the cell is missing; a target cannot be made up: drop such rows",
    );
    let (_, dropped) = encode(text, &options(Missing::Drop)).unwrap();
    assert_eq!(dropped.rows, [0, 4]);
    assert_eq!(dropped.data.to_rows::<f64>(), [1.0, 0.0, 1.0, 6.0, 1.0, 0.0]);
    assert_eq!(dropped.data.targets().unwrap(), [5.0, 9.5]);

    let whole = text.replace("red,\n", "red,8\n");
    let (schema, filled) = encode(&whole, &options(Missing::Mean)).unwrap();
    // The mean of 1, 4, 1, 6; blue and red are equally frequent.
    let expected = [1.0, 0.0, 1.0, 3.0, 1.0, 0.0, 4.0, 1.0, 0.0, 1.0, 0.0, 1.0, 6.0, 1.0, 0.0];
    assert_eq!(filled.data.to_rows::<f64>(), expected);
    // A later table takes the mean of the first one.
    let later = schema.encode(&table("colour,x\n,10\nred,NA\n").unwrap()).unwrap();
    assert_eq!(later.data.to_rows::<f64>(), [10.0, 1.0, 0.0, 3.0, 0.0, 1.0]);
    assert!(later.data.labels().is_none() && later.data.targets().is_none());

    fails(
        encode("x,y\n,1\nNA,2.5\n", &options(Missing::Mean)),
        "t.csv: column \"x\": every cell is missing, so there is no mean; leave the column out",
    );
    fails(
        encode("x,y\n,1\nNA,2.5\n", &options(Missing::Drop)),
        "t.csv: a cell is missing in every row, so that none is left",
    );
    // What is left out may be missing.
    let left_out = TableOptions { drop: vec!["z".into()], ..options(Missing::Error) };
    assert_eq!(encode("z,x,y\n,1,1.5\nq,2,2.5\n", &left_out).unwrap().1.data.features(), 1);
}

#[test]
fn a_later_table_is_coded_as_the_first() {
    let train = "size,shape,class\n1,round,a\n2,flat,b\n3,round,a\n4,flat,b\n";
    let (schema, first) = encode(train, &TableOptions::target("class")).unwrap();
    assert_eq!(schema.feature_names(), ["size", "shape=flat", "shape=round"]);
    assert_eq!(first.data.labels().unwrap(), [0, 1, 0, 1]);
    // Other order, another column, one category and one class only.
    let later = schema.encode(&table("class,extra,shape,size\nb,9,round,7\n").unwrap()).unwrap();
    assert_eq!(later.data.to_rows::<f64>(), [7.0, 0.0, 1.0]);
    assert_eq!((later.data.label(0), later.data.classes()), (1, 2));
    assert_eq!(later.data.class_name(1), "b");
    let encode = |text: &str| schema.encode(&table(text).unwrap());
    assert!(encode("shape,size,class\nflat,1,\n").unwrap().data.labels().is_none());
    fails(
        encode("shape,size\nflat,1\nsquare,2\n"),
        "t.csv: line 3: column \"shape\": \"square\" is unknown: the training data does not have it",
    );
    fails(
        encode("shape,size,class\nflat,1,b\nround,2,c\n"),
        "t.csv: line 3: column \"class\": class \"c\" is unknown; the classes are \"a\", \"b\"",
    );
    fails(encode("shape,sizes\nflat,1\n"), "t.csv: there is no column \"size\"; did you mean \"sizes\"?");
    fails(
        encode("shape,size\nflat,big\n"),
        "t.csv: line 2: column \"size\": \"big\" is not a number; the column was numbers in training",
    );
    fails(
        encode("shape,size\n1,2\n"),
        "t.csv: column \"shape\" is numbers here and was text in training; read it as text",
    );
    // Kept with a model, it is the same.
    let kept: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    assert_eq!(kept, schema);
}

/// A schema's file may have been changed by hand.
#[test]
fn a_schema_that_was_changed_is_an_error() {
    let options = ReadOptions::default();
    let table = Table::from_reader("color,y\nred,1\nblue,2\nred,3\n".as_bytes(), "t.csv", &options).unwrap();
    let schema = Schema::fit(&table, &TableOptions::target("y")).unwrap();
    let json = serde_json::to_string(&schema).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(json.contains(from), "{json}");
        let schema: Schema = serde_json::from_str(&json.replace(from, to)).unwrap();
        schema.encode(&table).unwrap_err().to_string()
    };
    let error = changed("\"fill\":null", "\"fill\":7");
    assert!(error.contains("column color: fill is 7, beyond 2 texts"), "{error}");
    let error = changed("[\"blue\",\"red\"]", "[\"red\",\"blue\"]");
    assert!(error.contains("column color: its texts are not in alphabetical order"), "{error}");
}

/// Postal codes are texts, and a later file is read so without being told again.
#[test]
fn texts_that_look_like_numbers() {
    let options = ReadOptions { text: vec!["zip".into()], ..ReadOptions::default() };
    let train = Table::from_reader("zip,y\n01,1.5\n1,2.5\n02,3\n".as_bytes(), "t.csv", &options).unwrap();
    let schema = Schema::fit(&train, &TableOptions::target("y")).unwrap();
    assert_eq!(schema.feature_names(), ["zip=01", "zip=02", "zip=1"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.csv");
    std::fs::write(&path, "zip\n1\n02\n").unwrap();
    let later = schema.read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(later.data.to_rows::<f64>(), [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    let many: String = (0..101).map(|i| format!("n{i},{i}.5\n")).collect();
    fails(
        encode(&format!("id,y\n{many}"), &TableOptions::target("y")),
        "t.csv: column \"id\": 101 different texts, each a feature of its own, are more than the 100 allowed; \
         leave the column out",
    );
}

#[test]
fn what_a_column_is_can_be_told() {
    let table = table("x,c\n3,b\n?,a\n-1,b\n").unwrap();
    let (x, c) = (&table.columns()[0], &table.columns()[1]);
    assert_eq!((x.range(), x.missing(), x.texts()), (Some((-1.0, 3.0)), 1, None));
    assert_eq!((c.range(), c.missing(), c.texts()), (None, 0, Some(vec![("a", 1), ("b", 2)])));
}

proptest! {
    /// Whatever the bytes are, there is a table or an error of one line; and the data set has the table's rows.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(
        proptest::sample::select(&b"aab1122..--e?,,,,;\t\"\"\n\n\n\r \xff\xc3\xa9\0"[..]), 0..80,
    )) {
        match Table::from_reader(&bytes[..], "t.csv", &ReadOptions::default()) {
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
            Ok(table) => {
                let target = table.columns()[0].name().to_string();
                let options = TableOptions { missing: Missing::Drop, ..TableOptions::target(target) };
                for options in [TableOptions::default(), options] {
                    match Schema::fit(&table, &options) {
                        Err(error) => prop_assert!(!error.to_string().contains('\n')),
                        Ok(schema) => {
                            let encoded = schema.encode(&table).unwrap();
                            prop_assert_eq!(encoded.data.len(), encoded.rows.len());
                            prop_assert_eq!(encoded.data.features(), schema.feature_names().len());
                        }
                    }
                }
            }
        }
    }

    /// What a writer of CSV quotes is read back, cell by cell, with the line of each row.
    #[test]
    fn quoted_texts_come_back(
        rows in proptest::collection::vec(("x[a,\"\n;|]{0,6}x", "x[a,\"\r\n\t]{0,6}x"), 1..20),
        crlf in proptest::bool::ANY,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut text = format!("first,second{end}");
        let mut lines = Vec::new();
        for (a, b) in &rows {
            lines.push(1 + text.matches('\n').count() as u64);
            text += &format!("{},{}{end}", quote(a), quote(b));
        }
        let table = table(&text).unwrap();
        for (column, expected) in table.columns().iter().zip([0, 1]) {
            let Values::Text { codes, texts } = column.values() else { panic!() };
            for (row, (a, b)) in rows.iter().enumerate() {
                let expected: &str = if expected == 0 { a } else { b };
                prop_assert_eq!(&*texts[codes[row] as usize], expected);
                prop_assert_eq!(table.line(row), lines[row]);
            }
        }
    }
}
