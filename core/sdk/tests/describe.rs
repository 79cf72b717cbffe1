//! Descriptions that are wrong are refused with a reason, and a panic while freeing a run ends nothing.

use gradtop_sdk::prelude::*;
use gradtop_sdk::testing::{Outcome, TestHost};

macro_rules! refused {
    ($name:ident, $info:expr, $expected:literal) => {
        #[test]
        fn $name() {
            #[derive(Params)]
            struct Wrong {
                /// Number of steps
                #[param(default = 1, min = 1)]
                steps: i64,
            }
            impl Experiment for Wrong {
                fn info() -> Info {
                    $info
                }
                fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
                    ctx.progress(self.steps, 1, "never")
                }
            }
            let Outcome::Refused(why) = TestHost::new().run::<Wrong>(&[]).outcome else {
                panic!("it was accepted");
            };
            assert!(why.contains($expected), "{why}");
        }
    };
}

refused!(
    id,
    Info::new("Wrong_Id", "Name", ""),
    "experiment id `Wrong_Id` must be [a-z][a-z0-9-]*, at most 64 characters"
);
refused!(name, Info::new("wrong", "", ""), "experiment `wrong`: it has no name");
refused!(
    metric,
    Info::new("wrong", "W", "").metric(Metric::new("a")).metric(Metric::new("a")),
    "metric `a` is declared twice"
);
refused!(
    preset,
    Info::new("wrong", "W", "").preset("p", "", &[("stops", "1")]),
    "preset `p` sets `stops`, which is not a parameter"
);
refused!(
    preset_value,
    Info::new("wrong", "W", "").preset("p", "", &[("steps", "0")]),
    "preset `p`: parameter `steps` is `0`, but must be at least 1"
);
refused!(
    preset_twice,
    Info::new("wrong", "W", "").preset("p", "", &[]).preset("p", "", &[]),
    "preset `p` is declared twice"
);
refused!(panics, panic!("no description"), "info() of an experiment panicked at core/sdk/tests/describe.rs");

#[test]
fn a_panic_in_drop_is_contained() {
    #[derive(Params)]
    struct Sticky;
    impl Drop for Sticky {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    impl Experiment for Sticky {
        fn info() -> Info {
            Info::new("sticky", "Sticky", "")
        }
        fn run(&mut self, _: &mut Ctx) -> Result<()> {
            Ok(())
        }
    }
    assert_eq!(TestHost::new().run::<Sticky>(&[]).outcome, Outcome::Finished);
}
