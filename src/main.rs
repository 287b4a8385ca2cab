//! The program `tapegrad`.

fn main() -> std::process::ExitCode {
    tapegrad::cli::run()
}
