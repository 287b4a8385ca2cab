//! Images as rows of a matrix, and the windows that go over them.
//!
//! A sample is a row. In it stand the pixels from left to right and from top to bottom, and of each pixel its channels:
//! channel c of the pixel in line y and column x is number (y·width + x)·channels + c. With the channels innermost, the
//! pixels of a line of a window are one stretch of numbers, which is read where it is; an image of one channel, such as
//! a digit, is the same in any layout.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::count;
use crate::{Error, Result};

/// What one row of a matrix stands for: channels, height and width of an image. It prints as `6×14×14`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Numbers of each pixel, side by side.
    pub channels: usize,
    /// Lines.
    pub height: usize,
    /// Pixels in a line.
    pub width: usize,
}

impl ImageShape {
    /// An image of so many channels, lines, and pixels in a line.
    pub const fn new(channels: usize, height: usize, width: usize) -> ImageShape {
        ImageShape { channels, height, width }
    }

    /// Pixels of one channel.
    ///
    /// # Panics
    /// If they are more than a `usize` counts.
    #[track_caller]
    pub const fn pixels(self) -> usize {
        match self.height.checked_mul(self.width) {
            Some(pixels) => pixels,
            None => panic!("an image has more pixels than memory has addresses"),
        }
    }

    /// Numbers in all channels: the columns of a batch of such images.
    ///
    /// # Panics
    /// If they are more than a `usize` counts.
    #[track_caller]
    pub const fn numel(self) -> usize {
        match self.pixels().checked_mul(self.channels) {
            Some(numbers) => numbers,
            None => panic!("an image has more numbers than memory has addresses"),
        }
    }

    /// # Errors
    /// [`Error::Setting`] if a side is 0, or there are more numbers than a matrix has columns.
    pub(crate) fn check(self) -> Result<()> {
        let sides = [self.channels, self.height, self.width];
        let numbers = sides.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
        match numbers {
            Some(0) => Err(Error::setting("image", format!("an image of {self} has no pixels"))),
            Some(numbers) if u32::try_from(numbers).is_ok() => Ok(()),
            _ => Err(Error::setting("image", format!("an image of {self} has more than 2³² − 1 numbers"))),
        }
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

/// How a window goes over an image, down and along. It prints as `5×5, padding 2×2`: what is as usual is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Lines and pixels in a line of the window.
    pub kernel: [usize; 2],
    /// From one window to the next; usually 1 for filters, and the kernel for pools.
    pub stride: [usize; 2],
    /// Pixels beyond the edges, on either side; usually none.
    pub padding: [usize; 2],
    /// From one pixel of the window to the next; usually 1.
    pub dilation: [usize; 2],
}

impl Window {
    /// A window of that many lines and pixels in a line, which moves on by one pixel.
    pub const fn new(height: usize, width: usize) -> Window {
        Window { kernel: [height, width], stride: [1; 2], padding: [0; 2], dilation: [1; 2] }
    }

    /// Pixels in it.
    pub(crate) const fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// How many windows there are over an image, down and along: ⌊(side + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1.
    ///
    /// # Errors
    /// [`Error::Setting`] if a part of it is 0, the window is larger than the image with its padding, or the numbers are
    /// larger than those of any matrix.
    pub fn over(&self, image: ImageShape) -> Result<[usize; 2]> {
        image.check()?;
        self.check()?;
        let Window { kernel, stride, padding, dilation } = *self;
        let (sides, extent) = ([image.height, image.width], self.extent());
        let room = [0, 1].map(|i| sides[i].saturating_add(2 * padding[i]));
        if extent[0] > room[0] || extent[1] > room[1] {
            let dilated = match dilation {
                [1, 1] => String::new(),
                [down, along] => {
                    format!(", {}×{} with its dilation of {down}×{along},", extent[0], extent[1])
                }
            };
            let padded = match padding {
                [0, 0] => String::new(),
                [down, along] => {
                    format!(", {}×{} with its padding of {down}×{along}", room[0], room[1])
                }
            };
            let why = format!(
                "a window of {}×{}{dilated} is larger than an image of {}×{}{padded}",
                kernel[0], kernel[1], sides[0], sides[1]
            );
            return Err(Error::setting("kernel", why));
        }
        Ok([0, 1].map(|i| (room[i] - extent[i]) / stride[i] + 1))
    }

    /// The sides of the smallest image over which there are that many windows, down and along:
    /// (windows − 1)·stride + dilation·(kernel − 1) + 1 − 2·padding. With a stride of s, up to s − 1 lines and columns more
    /// have as many.
    ///
    /// # Errors
    /// [`Error::Setting`] if a part of the window or a number of windows is 0, the numbers are larger than those of any
    /// matrix, or the padding leaves no pixel.
    pub fn under(&self, windows: [usize; 2]) -> Result<[usize; 2]> {
        self.check()?;
        if windows.contains(&0) {
            return Err(Error::setting("image", format!("there are {}×{} windows", windows[0], windows[1])));
        }
        let extent = self.extent();
        let room = [0, 1].map(|i| (windows[i] - 1).saturating_mul(self.stride[i]).saturating_add(extent[i]));
        let sides = [0, 1].map(|i| room[i].saturating_sub(2 * self.padding[i]));
        if sides.contains(&0) {
            let ([down, along], [height, width]) = (self.padding, room);
            let why = format!("{down}×{along} takes away all of an image of {height}×{width}");
            return Err(Error::setting("padding", why));
        }
        ImageShape::new(1, sides[0], sides[1]).check().map(|()| sides)
    }

    /// Lines and columns from the first to the last pixel of the window.
    fn extent(&self) -> [usize; 2] {
        [0, 1].map(|i| self.dilation[i] * (self.kernel[i] - 1) + 1)
    }

    fn check(&self) -> Result<()> {
        let Window { kernel, stride, padding, dilation } = *self;
        for (name, [down, along]) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if down == 0 || along == 0 {
                return Err(Error::setting(name, format!("{down}×{along} has a zero among them")));
            }
        }
        let parts = [("kernel", kernel), ("stride", stride), ("padding", padding), ("dilation", dilation)];
        for (name, [down, along]) in parts {
            let part = down.max(along);
            if part > MOST {
                let why = format!("{part} is more than the {MOST} that there may be");
                return Err(Error::setting(name, why));
            }
        }
        Ok(())
    }

    /// The same as a list of numbers, as nodes keep it.
    pub(crate) fn to_list(self) -> [u32; 8] {
        let [a, b] = self.kernel;
        let ([c, d], [e, f], [g, h]) = (self.stride, self.padding, self.dilation);
        [a, b, c, d, e, f, g, h].map(|x| x as u32)
    }

    /// The inverse of [`to_list`](Self::to_list).
    pub(crate) fn of_list(list: &[u32]) -> Window {
        let pair = |i: usize| [list[i] as usize, list[i + 1] as usize];
        Window { kernel: pair(0), stride: pair(2), padding: pair(4), dilation: pair(6) }
    }
}

/// The most of anything in a window: so that no sum or product of a few overflows, on any machine.
const MOST: usize = 1 << 14;

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.kernel[0], self.kernel[1])?;
        let usual = Window::new(1, 1);
        for (name, part, usual) in [
            ("stride", self.stride, usual.stride),
            ("padding", self.padding, usual.padding),
            ("dilation", self.dilation, usual.dilation),
        ] {
            if part != usual {
                write!(f, ", {name} {}×{}", part[0], part[1])?;
            }
        }
        Ok(())
    }
}

/// What a convolution is, but for its weights: filters that go over an image. It prints as
/// `1×28×28→6×24×24, 5×5`.
///
/// ```
/// use tapegrad::ops::{Convolution, ImageShape};
///
/// let form = Convolution::new(ImageShape::new(1, 28, 28), 6, 5).padding(2);
/// assert_eq!(form.output()?, ImageShape::new(6, 28, 28));
/// assert_eq!(form.weights(), (25, 6));
/// # Ok::<(), tapegrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Convolution {
    /// What they go over.
    pub image: ImageShape,
    /// Number of filters: channels of the result.
    pub filters: usize,
    /// Size and steps of a filter.
    pub window: Window,
    /// Parts into which channels and filters are cut, so that a filter sees only the channels of its own part; usually
    /// 1. As many as channels is a depthwise convolution.
    pub groups: usize,
}

impl Convolution {
    /// `filters` of `kernel`×`kernel`, with stride 1, no padding, no dilation and one group.
    pub const fn new(image: ImageShape, filters: usize, kernel: usize) -> Convolution {
        Convolution { image, filters, window: Window::new(kernel, kernel), groups: 1 }
    }

    /// With that stride, down and along.
    pub const fn stride(mut self, stride: usize) -> Self {
        self.window.stride = [stride; 2];
        self
    }

    /// With so many pixels beyond every edge, which are 0.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.window.padding = [padding; 2];
        self
    }

    /// With that distance between the pixels of a filter, down and along.
    pub const fn dilation(mut self, dilation: usize) -> Self {
        self.window.dilation = [dilation; 2];
        self
    }

    /// With that many groups.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// What comes out: the image of the results of all filters.
    ///
    /// # Errors
    /// [`Error::Setting`] as [`Window::over`], and if there is no filter, or the groups do not divide channels and
    /// filters.
    pub fn output(&self) -> Result<ImageShape> {
        let [height, width] = self.window.over(self.image)?;
        let (channels, filters, groups) = (self.image.channels, self.filters, self.groups);
        if filters == 0 {
            return Err(Error::setting("filters", "0 filters let nothing through"));
        }
        for (all, what) in [(channels, "channel"), (filters, "filter")] {
            if groups == 0 || all % groups != 0 {
                return Err(Error::setting(
                    "groups",
                    format!("{} do not divide {}", count(groups, "group"), count(all, what)),
                ));
            }
        }
        let output = ImageShape::new(filters, height, width);
        output.check()?;
        // The image with its padding has to fit as well, and all filters.
        let [down, along] = self.window.padding;
        let padded =
            [(self.image.height, down), (self.image.width, along)].map(|(a, b)| a.saturating_add(2 * b));
        ImageShape::new(channels, padded[0], padded[1]).check()?;
        ImageShape::new(filters, self.depth(), 1).check()?;
        Ok(output)
    }

    /// Rows and columns of the weights: a filter is a column, and its rows are line, column and channel of its window,
    /// the channel innermost. Meant for a form of which there is an [`output`](Self::output).
    ///
    /// # Panics
    /// If there are 0 groups.
    pub const fn weights(&self) -> (usize, usize) {
        (self.depth(), self.filters)
    }

    /// Numbers that a filter sees.
    pub(crate) const fn depth(&self) -> usize {
        self.window.taps() * (self.image.channels / self.groups)
    }

    /// Multiply-adds for one image of `output`.
    pub(crate) fn work(&self, output: ImageShape) -> usize {
        output.numel().saturating_mul(self.depth())
    }

    /// The same as a list of numbers, as nodes keep it.
    pub(crate) fn to_list(self) -> [u32; 13] {
        let mut list = [0; 13];
        let ImageShape { channels, height, width } = self.image;
        for (to, from) in list.iter_mut().zip([channels, height, width, self.filters, self.groups]) {
            *to = from as u32;
        }
        list[5..].copy_from_slice(&self.window.to_list());
        list
    }

    /// The inverse of [`to_list`](Self::to_list).
    pub(crate) fn of_list(list: &[u32]) -> Convolution {
        let [channels, height, width, filters, groups] = [0, 1, 2, 3, 4].map(|i| list[i] as usize);
        let image = ImageShape { channels, height, width };
        Convolution { image, filters, groups, window: Window::of_list(&list[5..]) }
    }
}

impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.output() {
            Ok(output) => write!(f, "{}→{output}, {}", self.image, self.window)?,
            Err(_) => write!(f, "{}→{}, {}", self.image, count(self.filters, "filter"), self.window)?,
        }
        if self.groups > 1 {
            write!(f, ", {}", count(self.groups, "group"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(form: Convolution) -> String {
        form.output().unwrap_err().to_string()
    }

    #[test]
    fn sizes() {
        let form = |side, kernel| Convolution::new(ImageShape::new(2, side, side + 1), 4, kernel);
        let out = |form: Convolution| form.output().map(|out| (out.height, out.width)).unwrap();
        assert_eq!(out(form(7, 3)), (5, 6));
        assert_eq!(out(form(7, 3).padding(1)), (7, 8));
        assert_eq!(out(form(7, 3).stride(2)), (3, 3));
        assert_eq!(out(form(7, 3).dilation(3)), (1, 2));
        assert_eq!(out(form(1, 1)), (1, 2));
        assert_eq!(form(7, 3).groups(2).weights(), (9, 4));
        let all = form(7, 3).padding(1).stride(2).dilation(3).groups(2);
        assert_eq!(Convolution::of_list(&all.to_list()), all);
        assert_eq!(
            all.padding(2).to_string(),
            "2×7×8→4×3×3, 3×3, stride 2×2, padding 2×2, dilation 3×3, 2 groups"
        );
    }

    /// The smallest image has that many windows, and one less in either direction has fewer.
    #[test]
    fn the_smallest_image_under_windows() {
        for kernel in [[1, 1], [3, 2], [2, 5]] {
            for (stride, padding, dilation) in [(1, 0, 1), (2, 1, 1), (3, 0, 2), (2, 1, 3), (5, 0, 1)] {
                let window =
                    Window { kernel, stride: [stride, 1], padding: [padding, 0], dilation: [dilation; 2] };
                for windows in [[1, 1], [2, 3], [7, 4]] {
                    let Ok([height, width]) = window.under(windows) else {
                        let room = (windows[0] - 1) * stride + dilation * (kernel[0] - 1) + 1;
                        assert!(room <= 2 * padding, "{window}");
                        continue;
                    };
                    let over = |height, width| window.over(ImageShape::new(1, height, width)).ok();
                    assert_eq!(over(height, width), Some(windows), "{window}");
                    assert_eq!(over(height + stride - 1, width), Some(windows), "{window}");
                    assert_ne!(over(height - 1, width), Some(windows), "{window}");
                    assert_ne!(over(height, width - 1), Some(windows), "{window}");
                }
            }
        }
        let why = |window: Window, windows| window.under(windows).unwrap_err().to_string();
        let padded = Window { padding: [1, 2], ..Window::new(3, 3) };
        assert_eq!(why(padded, [1, 1]), "padding: 1×2 takes away all of an image of 3×3");
        assert_eq!(why(padded, [0, 1]), "image: there are 0×1 windows");
        assert_eq!(why(Window::new(0, 1), [1, 1]), "kernel: 0×1 has a zero among them");
        assert!(why(padded, [usize::MAX, 5]).contains("more than 2³² − 1 numbers"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let form = Convolution::new(ImageShape::new(4, 5, 6), 6, 3);
        assert_eq!(
            why(Convolution { window: Window::new(7, 2), ..form }),
            "kernel: a window of 7×2 is larger than an image of 5×6"
        );
        assert_eq!(
            why(form.dilation(4).padding(1)),
            "kernel: a window of 3×3, 9×9 with its dilation of 4×4, is larger than an image of 5×6, 7×8 with its \
             padding of 1×1"
        );
        assert_eq!(why(form.groups(3)), "groups: 3 groups do not divide 4 channels");
        assert_eq!(why(form.groups(4)), "groups: 4 groups do not divide 6 filters");
        assert_eq!(why(form.groups(0)), "groups: 0 groups do not divide 4 channels");
        assert_eq!(why(form.stride(0)), "stride: 0×0 has a zero among them");
        assert_eq!(why(Convolution { filters: 0, ..form }), "filters: 0 filters let nothing through");
        assert_eq!(
            why(Convolution { image: ImageShape::new(4, 0, 6), ..form }),
            "image: an image of 4×0×6 has no pixels"
        );
        assert_eq!(
            why(form.padding(usize::MAX / 2)),
            format!("padding: {} is more than the 16384 that there may be", usize::MAX / 2)
        );
        let huge = ImageShape::new(usize::MAX, usize::MAX, 3);
        assert!(why(Convolution { image: huge, ..form }).ends_with("has more than 2³² − 1 numbers"));
        assert!(
            why(Convolution { filters: u32::MAX as usize, ..form }).contains("more than 2³² − 1 numbers")
        );
    }
}
