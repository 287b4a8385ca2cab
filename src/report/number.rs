//! Numbers as they are printed: with a minus as wide as a plus, and raised powers of ten.

/// A number with that many significant digits, or all of its digits where these are fewer (but for
/// rounding: 10⁻¹² of it).
///
/// Far from 1 it is written with a power of ten. The digits of whole numbers are kept.
///
/// ```
/// use tapegrad::report::rounded;
///
/// assert_eq!(rounded(0.97123, 4), "0.9712");
/// assert_eq!(rounded(-0.5, 4), "−0.5");
/// assert_eq!(rounded(3.24e-9, 2), "3.2·10⁻⁹");
/// ```
pub fn rounded(x: f64, digits: usize) -> String {
    let size = x.abs();
    if x.is_finite() && x != 0.0 && !(1e-4..1e7).contains(&size) {
        return scientific(x, digits);
    }
    // The exponent after rounding: 0.9996 with three digits is 1.00.
    let exponent = format!("{size:.*e}", digits.max(1) - 1)
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i32>().ok())
        .unwrap_or(0);
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    // Zeros at the end say that the number was rounded, and not that it is 0.1 but for its last bits.
    let says_all = |decimals: &usize| {
        let short = format!("{size:.decimals$}", decimals = *decimals).parse().unwrap_or(f64::NAN);
        (short - size).abs() <= 1e-12 * size
    };
    fixed(x, (0..decimals).find(says_all).unwrap_or(decimals))
}

/// A number with that many decimals, and thin spaces between thousands.
///
/// ```
/// assert_eq!(tapegrad::report::fixed(-0.4982, 2), "−0.50");
/// ```
pub fn fixed(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "not a number"
        } else if x > 0.0 {
            "∞"
        } else {
            "−∞"
        }
        .into();
    }
    let digits = format!("{:.decimals$}", x.abs());
    let (whole, rest) = digits.split_once('.').map_or((digits.as_str(), None), |(a, b)| (a, Some(b)));
    let mut grouped = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) && whole.len() > 4 {
            grouped.push('\u{2009}');
        }
        grouped.push(c);
    }
    let sign = if x < 0.0 && digits.chars().any(|c| c.is_ascii_digit() && c != '0') { "−" } else { "" };
    rest.map_or(format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

/// A number as m·10ⁿ, with at most that many significant digits.
///
/// ```
/// assert_eq!(tapegrad::report::scientific(0.00123, 2), "1.2·10⁻³");
/// assert_eq!(tapegrad::report::scientific(1000.0, 2), "10³");
/// ```
pub fn scientific(x: f64, digits: usize) -> String {
    if x == 0.0 || !x.is_finite() {
        return fixed(x, 0);
    }
    let text = format!("{x:.*e}", digits.max(1) - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    let mantissa = mantissa.replace('-', "−");
    let raised: String = exponent
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            c => char::from_u32('⁰' as u32 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
        })
        .collect();
    match mantissa.as_str() {
        "1" => format!("10{raised}"),
        "−1" => format!("−10{raised}"),
        _ => format!("{mantissa}·10{raised}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits() {
        let pairs = [
            (0.97123, "0.9712"),
            (12.34567, "12.35"),
            (1234.5, "1234"),
            (0.001234, "0.001234"),
            (0.0, "0"),
            (0.99996, "1.000"),
            (0.1 + 0.2, "0.3"),
            (60000.0, "60\u{2009}000"),
            (-3.2e-9, "−3.2·10⁻⁹"),
            (f64::NEG_INFINITY, "−∞"),
        ];
        for (x, text) in pairs {
            assert_eq!(rounded(x, 4), text);
        }
    }

    #[test]
    fn zeros_of_the_power_are_raised_too() {
        assert_eq!(scientific(2e10, 1), "2·10¹⁰");
        assert_eq!(scientific(-1e-20, 3), "−10⁻²⁰");
    }
}
