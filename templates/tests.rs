==> main.rs <==
#![allow(dead_code)]

include!("code.rs");

static CHECKS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
static FAILED_CHECKS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Says in a line of TAP whether `actual` is what was expected.
fn check<T: PartialEq + std::fmt::Debug>(name: &str, actual: T, expected: T) {
    let number = CHECKS.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
    if actual == expected {
        println!("ok {} - {}", number, name);
        return;
    }
    FAILED_CHECKS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    println!("not ok {} - {}\n# expected: {:?}\n# actual:   {:?}", number, name, expected, actual);
}

fn main() {
    {{tests}}
    let count = CHECKS.load(std::sync::atomic::Ordering::SeqCst);
    println!("1..{}", count);
    if FAILED_CHECKS.load(std::sync::atomic::Ordering::SeqCst) > 0 || count == 0 {
        std::process::exit(1);
    }
}
==> code.rs <==
{{code}}
