//! Parameters of each type.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::prelude::*;
use gradtop_sdk::testing::{Outcome, TestHost};

#[derive(Choice, Clone, Copy, Debug, PartialEq)]
enum Network {
    Mlp,
    #[choice("lenet")]
    LeNet,
    TwoLayers,
}

/// Says what it was given.
#[derive(Params, Debug)]
#[allow(dead_code, reason = "its fields are shown by Debug")]
struct Given {
    #[param(default = 3)]
    count: usize,
    #[param(default = 7, min = 1, max = 10)]
    small: u32,
    #[param(default = -7)]
    signed: i32,
    #[param(default = "two-layers")]
    network: Network,
    #[param(default = "mlp, lenet", distinct, nonempty)]
    networks: Vec<Network>,
    #[param(default = "15,15", min = 1, max = 100)]
    widths: Vec<usize>,
    #[param(default = "", min = 0.0, min_excluded)]
    rates: Vec<f64>,
    #[param(default = "a,b", distinct)]
    names: Vec<String>,
}

impl Experiment for Given {
    fn info() -> Info {
        Info::new("given", "Given", "").preset("quick", "", &[("widths", "2"), ("rates", "1e-3,1_0")])
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        ctx.info(format!("{self:?}"))
    }
}

fn given(params: &[(&str, &str)]) -> String {
    TestHost::new().run::<Given>(params).expect_finished().text[0].1.clone()
}

fn refused(key: &str, value: &str) -> String {
    match TestHost::new().run::<Given>(&[(key, value)]).outcome {
        Outcome::Failed(why) => why,
        other => panic!("{key} = {value}: {other:?}"),
    }
}

#[test]
fn text_becomes_values_of_each_type() {
    assert_eq!(
        given(&[]),
        "Given { count: 3, small: 7, signed: -7, network: TwoLayers, networks: [Mlp, LeNet], widths: [15, 15], rates: [], \
         names: [\"a\", \"b\"] }"
    );
    let some = given(&[("count", "1e3"), ("networks", "lenet"), ("rates", " 1e-3, 0.5 "), ("names", "")]);
    for part in ["count: 1000", "networks: [LeNet]", "rates: [0.001, 0.5]", "names: []"] {
        assert!(some.contains(part), "{part} is not in {some}");
    }
    let quick = TestHost::new().preset("quick").run::<Given>(&[]).expect_finished();
    assert!(quick.text[0].1.contains("widths: [2], rates: [0.001, 10.0]"), "{:?}", quick.text);
}

#[test]
fn what_is_wrong_is_named() {
    for (key, value, why) in [
        ("count", "-1", "parameter `count` is `-1`, but must be at least 0"),
        ("small", "11", "parameter `small` is `11`, but must be at least 1 and at most 10"),
        (
            "signed",
            "3e9",
            "parameter `signed` is `3e9`, but must be at least -2147483648 and at most 2147483647",
        ),
        ("network", "cnn", "parameter `network` is `cnn`, but must be one of mlp, lenet, two-layers"),
        (
            "networks",
            "mlp,cnn",
            "parameter `networks` names `cnn`, but each must be one of mlp, lenet, two-layers",
        ),
        ("networks", "", "parameter `networks` is ``, but must be a list of at least one"),
        ("networks", "mlp,mlp", "parameter `networks` is `mlp,mlp`: `mlp` is named twice"),
        ("widths", "5,101", "parameter `widths` names `101`, but each must be at least 1 and at most 100"),
        ("widths", "5,,6", "parameter `widths` is `5,,6`: something is missing between two commas"),
        ("rates", "0.5,0", "parameter `rates` names `0`, but each must be greater than 0"),
        ("rates", "fast", "parameter `rates` names `fast`, but each must be a finite number"),
        (
            "rates",
            "none",
            "parameter `rates` names `none`, but each must be a finite number; leave it empty for none",
        ),
    ] {
        assert_eq!(refused(key, value), why);
    }
}

#[test]
fn a_wrong_default_of_a_list_is_a_wrong_description() {
    #[derive(Params)]
    struct Wrong {
        #[param(default = "1,x", key = "widths")]
        _widths: Vec<usize>,
    }
    impl Experiment for Wrong {
        fn info() -> Info {
            Info::new("wrong", "Wrong", "")
        }
        fn run(&mut self, _: &mut Ctx) -> Result<()> {
            Ok(())
        }
    }
    let Outcome::Refused(why) = TestHost::new().run::<Wrong>(&[]).outcome else { panic!("it was taken") };
    assert_eq!(
        why,
        "experiment `wrong`, defaults: parameter `widths` names `x`, but each must be a whole number"
    );
}
