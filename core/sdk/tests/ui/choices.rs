use gradtop_sdk::Params;

#[derive(Params)]
struct Demo {
    #[param(default = 1, choices = ["1", "2"])]
    number: i64,
    #[param(default = "sinc", choices = ["sine", "sign"])]
    not_among: String,
    #[param(default = "a", choices = [])]
    empty: String,
    #[param(default = "a", choices = ["a", "a"])]
    twice: String,
    #[param(default = "a", choices = "a")]
    no_list: String,
}

fn main() {}
