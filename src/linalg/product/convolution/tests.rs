//! Every kernel of this CPU against the definition, to the bit, over forms that are drawn.

use proptest::prelude::*;

use super::super::Into;
use super::super::fused::Fused;
use super::super::tests::{defined, numbers};
use super::*;
use crate::linalg::image::{ImageShape, Window};

/// Numbers on either side of what a kernel is given: those it reads are NaN, and those it writes are to stay as they are.
const BESIDE: usize = 40;

/// What a kernel is given to read or to write, with something beside it.
struct Guarded<T>(Vec<T>);

impl<T: Float> Guarded<T> {
    fn new(numbers: &[T]) -> Guarded<T> {
        let beside = [T::NAN; BESIDE];
        Guarded([&beside, numbers, &beside].concat())
    }

    fn get(&mut self) -> &mut [T] {
        let behind = self.0.len() - BESIDE;
        &mut self.0[BESIDE..behind]
    }

    /// Whether only what was given has been written, and all of it as it should be.
    fn is(&self, right: &[T]) -> bool {
        let (before, rest) = self.0.split_at(BESIDE);
        let (found, behind) = rest.split_at(rest.len() - BESIDE);
        before.iter().chain(behind).all(|x| x.is_nan()) && found == right
    }
}

/// Fills the rooms of this thread with NaN: nothing that another product has left there may come into this one.
fn spoil_rooms<T: Float>() {
    // SAFETY: the rooms hold as many numbers. All bits set are NaN in both types.
    scratch::with(1 << 16, |rooms: &Rooms<T>| unsafe {
        rooms.a.write_bytes(0xFF, ROWS_OF_IMAGE);
        rooms.b.write_bytes(0xFF, ROOM);
        rooms.image.write_bytes(0xFF, 1 << 16);
    });
}

/// Where a row of the weights sees the image of a sample at a pixel of the map, of so many in a line; none, where that is
/// padding.
fn place(form: &Convolution, line: usize, group: usize, pixel: usize, row: usize) -> Option<usize> {
    let Window { kernel, stride, padding, dilation } = form.window;
    let channels = form.image.channels / form.groups;
    let (tap, channel) = (row / channels, row % channels);
    let (at, taps) = ([pixel / line, pixel % line], [tap / kernel[1], tap % kernel[1]]);
    let side = |i: usize| (at[i] * stride[i] + taps[i] * dilation[i]).checked_sub(padding[i]);
    let (y, x) = (side(0)?, side(1)?);
    let is_there = y < form.image.height && x < form.image.width;
    is_there.then(|| (y * form.image.width + x) * form.image.channels + group * channels + channel)
}

/// What is given for all three, of some samples.
struct Given<T> {
    form: Convolution,
    samples: usize,
    /// Pixels in a line of the map.
    line: usize,
    pixels: usize,
    x: Vec<T>,
    w: Vec<T>,
    b: Vec<T>,
    dy: Vec<T>,
}

impl<T: Float + Fused> Given<T> {
    fn new(form: Convolution, samples: usize) -> Given<T> {
        let output = form.output().unwrap();
        Given {
            form,
            samples,
            line: output.width,
            pixels: output.pixels(),
            x: numbers(samples * form.image.numel(), 1),
            w: numbers(form.depth() * form.filters, 2),
            b: numbers(form.filters, 3),
            dy: numbers(samples * output.numel(), 4),
        }
    }

    fn seen(&self, sample: usize, group: usize, pixel: usize, row: usize) -> T {
        let at = place(&self.form, self.line, group, pixel, row);
        at.map_or(T::ZERO, |at| self.x[sample * self.form.image.numel() + at])
    }

    /// The map that is added to what `before` has.
    fn map(&self, into: Into, before: impl Fn(usize) -> T) -> Vec<T> {
        let (filters, of_group) = (self.form.filters, self.form.filters / self.form.groups);
        let entry = |i: usize| {
            let (sample, pixel, filter) = (i / filters / self.pixels, i / filters % self.pixels, i % filters);
            let seen = |row| self.seen(sample, filter / of_group, pixel, row);
            defined(before(i), into, self.form.depth(), seen, |row| self.w[row * filters + filter])
        };
        (0..self.dy.len()).map(entry).collect()
    }

    /// The gradient of the image, added to what is there: some pixels of the window and of the map at a time, as the module
    /// says; a pixel of the window sees a pixel of the image from one pixel of the map at most.
    fn image(&self, mut dx: Vec<T>) -> Vec<T> {
        let (form, filters) = (&self.form, self.form.filters);
        let (channels, of_group) = (form.image.channels / form.groups, filters / form.groups);
        assert!(channels <= COLUMNS_OF_IMAGE && of_group <= DEPTH, "{form} is cut where this is not");
        let at_once = COLUMNS_OF_IMAGE / channels;
        let all =
            (0..form.groups).flat_map(|g| (0..form.window.taps()).step_by(at_once).map(move |t| (g, t)));
        for (group, first) in all {
            let taps = first..(first + at_once).min(form.window.taps());
            let rows = ROWS_OF_IMAGE / (taps.len() * channels).next_multiple_of(2 * MOST_LANES);
            let parts = (0..self.pixels).step_by(rows);
            for (sample, pixel) in (0..self.samples).flat_map(|s| parts.clone().map(move |p| (s, p))) {
                let pixels = pixel..(pixel + rows).min(self.pixels);
                let terms = taps.clone().flat_map(|tap| pixels.clone().map(move |pixel| (tap, pixel)));
                for ((tap, pixel), c) in terms.flat_map(|term| (0..channels).map(move |c| (term, c))) {
                    let row = tap * channels + c;
                    let Some(to) = place(form, self.line, group, pixel, row) else { continue };
                    let (of_map, of_weights) = (
                        (sample * self.pixels + pixel) * filters + group * of_group,
                        row * filters + group * of_group,
                    );
                    let to = &mut dx[sample * form.image.numel() + to];
                    let dy = |k: usize| self.dy[of_map + k];
                    *to = defined(*to, Into::Add, of_group, dy, |k| self.w[of_weights + k]);
                }
            }
        }
        dx
    }

    /// Some rows of the gradient of the weights, added to what is there.
    fn weights(&self, rows: Range<usize>, mut dw: Vec<T>) -> Vec<T> {
        let (filters, of_group) = (self.form.filters, self.form.filters / self.form.groups);
        for (i, dw) in dw.iter_mut().enumerate() {
            let (row, filter) = (rows.start + i / filters, i % filters);
            for sample in 0..self.samples {
                let seen = |pixel| self.seen(sample, filter / of_group, pixel, row);
                let dy = |pixel| self.dy[(sample * self.pixels + pixel) * filters + filter];
                *dw = defined(*dw, Into::Add, self.pixels, seen, dy);
            }
        }
        dw
    }
}

fn check_form<T: Float + Fused>(form: Convolution, samples: usize) {
    let given = Given::<T>::new(form, samples);
    let rows = form.depth() / 3..form.depth();
    let (y, dx): (Vec<T>, Vec<T>) = (numbers(given.dy.len(), 5), numbers(given.x.len(), 6));
    let dw: Vec<T> = numbers(rows.len() * form.filters, 7);
    let right = [
        given.map(Into::Replace, |_| T::ZERO),
        given.map(Into::Add, |i| y[i]),
        given.map(Into::Add, |i| given.b[i % form.filters]),
        given.image(dx.clone()),
        given.weights(rows.clone(), dw.clone()),
    ];
    let [mut x, mut w, mut b, mut dy] = [&given.x, &given.w, &given.b, &given.dy].map(|x| Guarded::new(x));
    let kernels = T::KERNELS.iter().filter(|kernel| (kernel.available)());
    for kernel in kernels.filter(|kernel| !cfg!(miri) || kernel.name == "portable") {
        let same = |what: &str, found: &Guarded<T>, right: &[T]| {
            assert!(found.is(right), "{}: {what} of {form}, {samples} samples, in {}", kernel.name, T::NAME);
        };
        for (start, right) in right[..3].iter().enumerate() {
            let mut found = Guarded::new(&y);
            let start = [Start::Zero, Start::There, Start::Bias(&*b.get())][start];
            spoil_rooms::<T>();
            map_by(kernel, &form, x.get(), w.get(), start, found.get());
            same("the map", &found, right);
        }
        let mut found = Guarded::new(&dx);
        spoil_rooms::<T>();
        image_by(kernel, &form, dy.get(), w.get(), true, found.get());
        same("the image", &found, &right[3]);
        let mut found = Guarded::new(&dw);
        spoil_rooms::<T>();
        weights_by(kernel, &form, x.get(), dy.get(), rows.clone(), true, found.get());
        same("the weights", &found, &right[4]);
    }
}

/// Few filters and many, lines shorter and longer than a vector, paddings wider than the image, more than one block of k.
fn forms() -> impl Strategy<Value = Convolution> {
    let channels = prop_oneof![3 => 1usize..5, 1 => 5usize..70];
    let filters = prop_oneof![4 => 1usize..=8, 1 => 9usize..40];
    let width = prop_oneof![2 => 1usize..9, 3 => 9usize..50, 1 => 50usize..150];
    let stride = prop_oneof![3 => Just([1, 1]), 1 => [1usize..4, 1..2], 1 => [1usize..4, 2..4]];
    let dilation = prop_oneof![3 => Just([1, 1]), 1 => [1usize..4, 1..4]];
    let groups = prop_oneof![2 => Just(1usize), 1 => 2usize..4];
    let window = ([1usize..5, 1..6], stride, [0usize..6, 0..9], dilation);
    let form = (groups, channels, 1usize..10, width, filters, window);
    form.prop_filter_map("a window within the image, and not too much work", |form| {
        let (groups, channels, height, width, filters, (kernel, stride, padding, dilation)) = form;
        let image = ImageShape::new(groups * channels, height, width);
        let window = Window { kernel, stride, padding, dilation };
        let form = Convolution { image, filters: groups * filters, window, groups };
        let output = form.output().ok()?;
        (form.work(output) < 60_000).then_some(form)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    #[cfg_attr(miri, ignore = "too many numbers for an interpreter")]
    fn drawn_forms_are_the_definition(form in forms(), samples in 1usize..3) {
        check_form::<f32>(form, samples);
        check_form::<f64>(form, samples);
    }
}

/// Those with pixels for lanes, at the edges; so small that an interpreter looks at them as well.
#[test]
fn edges_of_few_filters() {
    let form = |channels, height, width, filters| {
        Convolution::new(ImageShape::new(channels, height, width), filters, 3).padding(1)
    };
    // One pixel more than vectors; one line; all of it padding but one pixel.
    let mut forms = vec![form(1, 2, 9, 1)];
    if !cfg!(miri) {
        forms.extend([form(1, 1, 5, 1), form(2, 1, 4, 2), form(1, 1, 1, 1).padding(6)]);
        // More than one block of k, and every number of filters over lines of every length.
        forms.extend([form(40, 3, 17, 3), form(70, 2, 33, 8), form(1, 1, 1, 5).padding(20)]);
        forms.extend((1..9).flat_map(|filters| (1..36).map(move |width| form(1, 3, width, filters))));
        forms.extend((1..9).map(|filters| form(4, 3, 33, 2 * filters).groups(2)));
    }
    for form in forms {
        check_form::<f32>(form, 2);
        if !cfg!(miri) {
            check_form::<f64>(form, 2);
        }
    }
}

/// Numbers whose last one is the last that can be read: behind it lies a page without access.
#[cfg(target_os = "linux")]
struct AtEnd<T> {
    start: *mut std::ffi::c_void,
    bytes: usize,
    numbers: *mut [T],
}

#[cfg(target_os = "linux")]
impl<T: Copy> AtEnd<T> {
    fn new(numbers: &[T]) -> AtEnd<T> {
        use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
        let page = rustix::param::page_size();
        let room = size_of_val(numbers).next_multiple_of(page);
        let bytes = room + page;
        // SAFETY: memory of its own, of which the last page is closed, and the numbers fill the end of the others.
        unsafe {
            let all = ProtFlags::READ | ProtFlags::WRITE;
            let start = mmap_anonymous(std::ptr::null_mut(), bytes, all, MapFlags::PRIVATE).unwrap();
            mprotect(start.byte_add(room), page, MprotectFlags::empty()).unwrap();
            let first: *mut T = start.byte_add(room - size_of_val(numbers)).cast();
            first.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len());
            AtEnd { start, bytes, numbers: std::ptr::slice_from_raw_parts_mut(first, numbers.len()) }
        }
    }

    fn get(&self) -> &[T] {
        // SAFETY: they were written when it was made.
        unsafe { &*self.numbers }
    }
}

#[cfg(target_os = "linux")]
impl<T> Drop for AtEnd<T> {
    fn drop(&mut self) {
        // SAFETY: as it was asked for, and nothing of it is borrowed any more.
        unsafe { rustix::mm::munmap(self.start, self.bytes).unwrap() };
    }
}

/// A vector may reach beyond the filters of a map that is read where it lies, but not beyond the last sample.
#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(miri, ignore = "an interpreter has no pages, and sees such a read by itself")]
fn nothing_behind_the_map_is_read() {
    fn check<T: Float + Fused>(form: Convolution, samples: usize) {
        let given = Given::<T>::new(form, samples);
        let dw: Vec<T> = numbers(form.depth() * form.filters, 7);
        let (right, map) = (given.weights(0..form.depth(), dw.clone()), AtEnd::new(&given.dy));
        for kernel in T::KERNELS.iter().filter(|kernel| (kernel.available)()) {
            let mut found = dw.clone();
            weights_by(kernel, &form, &given.x, map.get(), 0..form.depth(), true, &mut found);
            assert!(found == right, "{}: {form}, {samples} samples, in {}", kernel.name, T::NAME);
        }
    }
    for (groups, filters) in (1..4).flat_map(|groups| (1..36).map(move |filters| (groups, filters))) {
        for (height, width) in [(1, 1), (1, 3), (2, 9)] {
            let image = ImageShape::new(groups, height, width);
            let form = Convolution::new(image, groups * filters, 1).groups(groups);
            for samples in [1, 2, 3] {
                check::<f32>(form, samples);
                check::<f64>(form, samples);
            }
        }
    }
}
