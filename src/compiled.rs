//! What is compiled once for each type of numbers, in this crate, and not anew in every program that calls it.
//!
//! A generic function is compiled where it is called. What is long, and called by programs, stands in a table of its
//! module: the function that is public is one call of the table's, and that has a body for each type.

/// A table: a trait of that name, with a function for each line, and both types' bodies, which are calls of the
/// generic function behind the `=`. `Self` is the type of numbers.
macro_rules! compiled_once {
    (
        $(#[$about:meta])* $table:ident:
        $(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? = $body:path;)*
    ) => {
        $(#[$about])*
        pub trait $table: Sized {
            $(
                #[doc(hidden)]
                #[track_caller]
                #[allow(clippy::too_many_arguments)]
                fn $name($($argument: $type),*) $(-> $output)? where Self: $crate::Float;
            )*
        }
        $crate::compiled::compiled_once! { @f32 $table: $(fn $name($($argument: $type),*) $(-> $output)? = $body;)* }
        $crate::compiled::compiled_once! { @f64 $table: $(fn $name($($argument: $type),*) $(-> $output)? = $body;)* }
    };
    (@$t:ident $table:ident: $(fn $name:ident($($argument:ident: $type:ty),*) $(-> $output:ty)? = $body:path;)*) => {
        impl $table for $t {
            $(
                #[track_caller]
                fn $name($($argument: $type),*) $(-> $output)? {
                    $body($($argument),*)
                }
            )*
        }
    };
}
pub(crate) use compiled_once;
