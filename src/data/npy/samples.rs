//! Data sets of NumPy's arrays.

use std::path::Path;

use super::{Archive, NpyArray, NpyValues, read};
use crate::data::idx::ReadOptions;
use crate::data::table::{Task, class_numbers};
use crate::data::{Dataset, Features};
use crate::linalg::first_not_finite;
use crate::memory::with_room;
use crate::text::count;
use crate::{Error, Result, text};

/// What samples and what is told of them are called in an archive.
const PAIRS: [(&str, &str); 7] = [
    ("X", "y"),
    ("x", "y"),
    ("data", "target"),
    ("data", "labels"),
    ("features", "labels"),
    ("features", "targets"),
    ("images", "labels"),
];

/// The same where training and test samples are apart.
const QUADS: [[&str; 4]; 4] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["X_train", "y_train", "X_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["train_x", "train_y", "test_x", "test_y"],
];

/// Arrays of an archive that go together: samples with what is told of them, and such to test on.
struct Form {
    train: (&'static str, &'static str),
    test: Option<(&'static str, &'static str)>,
}

impl Form {
    fn names(&self) -> Vec<&'static str> {
        let both = [Some(self.train), self.test].into_iter().flatten();
        both.flat_map(|(x, y)| [x, y]).collect()
    }

    /// That of which all arrays are there, if there is one: an error if there are several.
    fn of(archive: &Archive) -> Result<Option<Form>> {
        let quads =
            QUADS.iter().map(|[x, y, x_test, y_test]| Form { train: (x, y), test: Some((x_test, y_test)) });
        let pairs = PAIRS.iter().map(|pair| Form { train: *pair, test: None });
        let is_there = |form: &Form| form.names().iter().all(|name| archive.has(name));
        let mut found: Vec<Form> = quads.chain(pairs).filter(is_there).collect();
        if found.len() > 1 {
            let names: Vec<String> = found.iter().map(|form| form.names().join(", ")).collect();
            let names = names.join(" as well as ");
            return Err(Error::Data(format!(
                "{}: it has {names}: which are meant? remove the others",
                archive.name()
            )));
        }
        Ok(found.pop())
    }
}

impl Archive {
    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    /// The names of the arrays that [`Dataset::from_npz`] makes nothing of, in their order.
    ///
    /// # Errors
    /// [`Error::Data`] if the names say in several ways which are the samples.
    pub fn unused(&self) -> Result<Vec<&str>> {
        let used = Form::of(self)?.map_or(Vec::new(), |form| form.names());
        Ok(self.names().iter().map(String::as_str).filter(|name| !used.contains(name)).collect())
    }
}

/// As many classes as whole numbers may tell; a confusion matrix takes their square.
const MOST_CLASSES: usize = 1000;

/// What is told of samples, and what messages call it.
struct Told {
    name: String,
    array: NpyArray,
}

impl Dataset {
    /// Samples without labels: the one array of a `.npy` file, or of an archive the array `X`, or the like. Its first
    /// dimension counts samples. Where there are two others, they are the image shape, and `uint8` is read as x/255; all
    /// other numbers are read as they are.
    ///
    /// # Errors
    /// As [`npy::read`](super::read); [`Error::Data`] if the array is not of numbers, has one dimension only, or a number
    /// is NaN or infinite; or if the names of an archive say in several ways which are the samples.
    pub fn from_npy_samples(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Dataset> {
        let path = path.as_ref();
        if !is_archive(path) {
            return samples(read(path, options)?, &text::path(path));
        }
        let archive = Archive::open(path, options)?;
        // Of an archive with both, what has not been trained on.
        let of_form = Form::of(&archive)?.map(|form| form.test.unwrap_or(form.train).0);
        let name = match of_form {
            Some(name) => Some(name),
            None => samples_alone(&archive)?,
        };
        let only = if let [only] = archive.names() { Some(only.as_str()) } else { None };
        let Some(name) = name.or(only) else { return Err(no_samples(&archive)) };
        samples(archive.array(name, options)?, &format!("{}, array {name}", archive.name()))
    }

    /// Samples of the file `x` with labels or targets of the file `y`, each of one array.
    ///
    /// Texts are classes. Numbers are as [`Task::Auto`] has it, with up to 1000 classes where they are of a whole-number
    /// type; of several columns, targets. Class names are the texts or numbers.
    ///
    /// # Errors
    /// As [`from_npy_samples`](Self::from_npy_samples); [`Error::Data`] also if there are not as many of one as of the
    /// other.
    pub fn from_npy(
        x: impl AsRef<Path>,
        y: impl AsRef<Path>,
        task: Task,
        options: &ReadOptions,
    ) -> Result<Dataset> {
        let (x, y) = (x.as_ref(), y.as_ref());
        let data = samples(read(x, options)?, &text::path(x))?;
        let told = Told { name: text::path(y), array: read(y, options)? };
        let classes = Classes::of(&[&told], task)?;
        told.put_on(data, classes.as_ref())
    }

    /// Samples and what is told of them from an archive of arrays: `X` and `y`, `data` and `target` or the like; and test
    /// samples, if there are `x_train`, `y_train`, `x_test` and `y_test` or the like.
    ///
    /// # Errors
    /// As [`from_npy`](Self::from_npy); [`Error::Data`] if it has arrays of other names, which the error tells, or those of
    /// several such sets. Arrays beside those of a set are no error: [`Archive::unused`] tells them.
    pub fn from_npz(
        path: impl AsRef<Path>,
        task: Task,
        options: &ReadOptions,
    ) -> Result<(Dataset, Option<Dataset>)> {
        let archive = Archive::open(path, options)?;
        let what = |name: &str| format!("{}, array {name}", archive.name());
        let x = |name: &str| samples(archive.array(name, options)?, &what(name));
        let y = |name: &str| Ok::<_, Error>(Told { name: what(name), array: archive.array(name, options)? });
        let Some(Form { train: (x_train, y_train), test }) = Form::of(&archive)? else {
            return Err(no_samples(&archive));
        };
        if let Some((x_test, y_test)) = test {
            let (told, told_of_test) = (y(y_train)?, y(y_test)?);
            let classes = Classes::of(&[&told, &told_of_test], task)?;
            let train = told.put_on(x(x_train)?, classes.as_ref())?;
            let test = told_of_test.put_on(x(x_test)?, classes.as_ref())?;
            let shape = |data: &Dataset| (data.features(), data.image_shape());
            if shape(&train) != shape(&test) {
                let (of_train, of_test) = (train.features(), test.features());
                let why = format!(
                    "{}, or another shape, where {x_train} has {of_train}",
                    count(of_test, "feature")
                );
                return Err(Error::Data(format!("{}: {why}", what(x_test))));
            }
            return Ok((train, Some(test)));
        }
        let told = y(y_train)?;
        let classes = Classes::of(&[&told], task)?;
        Ok((told.put_on(x(x_train)?, classes.as_ref())?, None))
    }

    /// With other numbers for the classes: those of the same names in `names`.
    ///
    /// # Errors
    /// [`Error::Data`] if a class that occurs is not among them.
    pub fn with_classes_of(self, names: &[String]) -> Result<Dataset> {
        let Some(labels) = self.labels() else { return Ok(self) };
        let place = |label: &usize| {
            let own = self.class_name(*label);
            names.iter().position(|name| *name == own).ok_or_else(|| {
                let name = text::printable(&own);
                Error::Data(format!(
                    "there is no class `{name}` among {}",
                    text::printable(&names.join(", "))
                ))
            })
        };
        let labels = labels.iter().map(place).collect::<Result<Vec<_>>>()?;
        self.with_labels(&labels, names.len())?.with_class_names(names.iter().cloned())
    }
}

/// Whether a file of that name is an archive of arrays: `.npz`.
pub fn is_archive(path: impl AsRef<Path>) -> bool {
    path.as_ref().extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

/// The array whose name says that it is of samples, where nothing is told of them.
fn samples_alone(archive: &Archive) -> Result<Option<&'static str>> {
    let names = QUADS.iter().map(|quad| quad[2]).chain(PAIRS.iter().map(|pair| pair.0));
    let mut found: Vec<&str> = names.filter(|name| archive.has(name)).collect();
    // Pairs have names in common, which stand side by side.
    found.dedup();
    if found.len() > 1 {
        let names = found.join(" as well as ");
        return Err(Error::Data(format!(
            "{}: it has {names}: which are the samples? remove the others",
            archive.name()
        )));
    }
    Ok(found.pop())
}

fn no_samples(archive: &Archive) -> Error {
    let names: Vec<_> = archive.names().iter().take(20).map(|name| text::printable(name)).collect();
    let found = if names.is_empty() { "none".to_string() } else { names.join(", ") };
    Error::Data(format!(
        "{}: expected the arrays X and y, or x_train, y_train, x_test and y_test, found {found}",
        archive.name()
    ))
}

fn samples(array: NpyArray, what: &str) -> Result<Dataset> {
    let is_truth = array.descr().contains('b');
    let (shape, values) = array.into_parts();
    if shape.len() < 2 {
        let why = format!("{what}: samples have two dimensions or more, and this is of shape {shape:?}");
        return Err(Error::Data(why));
    }
    let Some(features) = shape[1..].iter().try_fold(1usize, |product, n| product.checked_mul(*n)) else {
        return Err(Error::Data(format!(
            "{what}: its shape {shape:?} is of more features than any memory holds"
        )));
    };
    let images = shape.len() > 2 && !is_truth;
    let stored: Features = match values {
        NpyValues::U8(v) if images => v.into(),
        NpyValues::U8(v) => {
            let mut numbers = with_room::<f32>(v.len(), what)?;
            numbers.extend(v.iter().map(|x| f32::from(*x)));
            numbers.into()
        }
        NpyValues::F32(v) => v.into(),
        NpyValues::F64(v) => v.into(),
        NpyValues::Text(_) => {
            return Err(Error::Data(format!("{what}: samples are of numbers, and these are texts")));
        }
    };
    let named = |error| match error {
        Error::Data(why) => Error::Data(format!("{what}: {why}")),
        other => other,
    };
    let data = Dataset::new(stored, features).map_err(named)?;
    match shape[1..] {
        [height, width] | [height, width, 1] => data.with_image_shape(height, width),
        _ => Ok(data),
    }
}

/// The classes that occur, ascending.
enum Classes {
    Texts(Vec<String>),
    Numbers(Vec<f64>),
}

impl Classes {
    /// Those of all arrays together; `None` where values are told.
    fn of(told: &[&Told], task: Task) -> Result<Option<Classes>> {
        if let NpyValues::Text(_) = told[0].array.values() {
            if task == Task::Regression {
                return Err(Error::Data(format!("{}: texts are no values", told[0].name)));
            }
            let mut texts = Vec::new();
            for told in told {
                let NpyValues::Text(own) = told.array.values() else {
                    return Err(Error::Data(format!("{}: numbers, where the others are texts", told.name)));
                };
                texts.extend(own.iter().cloned());
            }
            texts.sort_unstable();
            texts.dedup();
            told[0].check_classes(texts.len())?;
            return Ok(Some(Classes::Texts(texts)));
        }
        let whole = told.iter().all(|told| !told.array.descr().contains('f'));
        let (mut numbers, mut rows) = (Vec::new(), 0);
        for told in told {
            let own = told.numbers()?;
            if let Some(at) = first_not_finite(&own) {
                return Err(Error::Data(format!("{}: row {at} is {}", told.name, own[at])));
            }
            rows += own.len();
            // −0 and 0 are one class.
            numbers.extend(own.iter().map(|x| x + 0.0));
        }
        let columns = told[0].array.shape().get(1).is_some_and(|columns| *columns > 1);
        numbers.sort_unstable_by(f64::total_cmp);
        numbers.dedup();
        let most = if whole { MOST_CLASSES } else { crate::data::table::MOST_CLASS_NUMBERS };
        let classes = match task {
            Task::Regression => false,
            Task::Auto => !columns && !numbers.is_empty() && class_numbers(&numbers, rows, most),
            Task::Classification if columns => {
                return Err(Error::Data(format!("{}: classes are one column", told[0].name)));
            }
            Task::Classification => true,
        };
        if !classes {
            return Ok(None);
        }
        told[0].check_classes(numbers.len())?;
        Ok(Some(Classes::Numbers(numbers)))
    }
}

impl Told {
    fn check_classes(&self, count: usize) -> Result<()> {
        if count <= MOST_CLASSES {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{}: {}, and {MOST_CLASSES} are the most: are they values, for a regression?",
            self.name,
            text::count(count, "class")
        )))
    }

    fn numbers(&self) -> Result<Vec<f64>> {
        match self.array.values() {
            NpyValues::U8(v) => Ok(v.iter().map(|x| f64::from(*x)).collect()),
            NpyValues::F32(v) => Ok(v.iter().map(|x| f64::from(*x)).collect()),
            NpyValues::F64(v) => Ok(v.clone()),
            NpyValues::Text(_) => {
                Err(Error::Data(format!("{}: texts, where the others are numbers", self.name)))
            }
        }
    }

    /// The samples with their labels or targets.
    fn put_on(&self, data: Dataset, classes: Option<&Classes>) -> Result<Dataset> {
        let (width, rows) = match *self.array.shape() {
            [rows] => (1, rows),
            [rows, width] => (width, rows),
            _ => {
                let shape = self.array.shape();
                return Err(Error::Data(format!(
                    "{}: one number a sample is told, not {shape:?}",
                    self.name
                )));
            }
        };
        if rows != data.len() {
            return Err(Error::Data(format!(
                "{}: {}, and {}",
                self.name,
                count(rows, "row"),
                count(data.len(), "sample")
            )));
        }
        let named = |error| match error {
            Error::Data(why) => Error::Data(format!("{}: {why}", self.name)),
            other => other,
        };
        match classes {
            None => data.with_targets(self.numbers()?, width).map_err(named),
            Some(_) if width != 1 => Err(Error::Data(format!("{}: classes are one column", self.name))),
            Some(Classes::Texts(names)) => {
                let NpyValues::Text(texts) = self.array.values() else {
                    return Err(Error::Data(format!("{}: not texts", self.name)));
                };
                let labels: Vec<usize> = texts.iter().map(|x| names.partition_point(|y| y < x)).collect();
                data.with_labels(&labels, names.len())?.with_class_names(names.iter().cloned())
            }
            Some(Classes::Numbers(different)) => {
                let labels: Vec<usize> =
                    self.numbers()?.iter().map(|x| different.partition_point(|y| y < x)).collect();
                let names = different.iter().map(f64::to_string);
                data.with_labels(&labels, different.len())?.with_class_names(names)
            }
        }
    }
}
