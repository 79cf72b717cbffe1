//! The questions of the original report, in its order, and what of the runs answers each.
//!
//! What is said here explains and defines. It holds no measured number and no result: those are taken from the runs.

/// A problem of the report.
pub(crate) struct Problem {
    /// What links call it.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// The experiments that answer it.
    pub(crate) experiments: &'static [&'static str],
    /// Its questions.
    pub(crate) questions: &'static [Question],
}

/// A question.
pub(crate) struct Question {
    /// Its heading.
    pub(crate) short: &'static str,
    /// As it was asked.
    pub(crate) asked: &'static str,
    /// What answers it.
    pub(crate) answer: &'static [Part],
}

/// A part of an answer. Each names its experiment.
pub(crate) enum Part {
    /// Words of explanation.
    Text(&'static str),
    /// What the original report answered.
    Report(&'static str),
    /// The run and its settings.
    Settings(&'static str),
    /// A table of the run.
    Table(&'static str, &'static str),
    /// Figures by id; `*` at the end stands for anything.
    Figures(&'static str, &'static [&'static str]),
    /// What the experiment concluded from its numbers.
    Found(&'static str),
    /// Tables that hold the numbers of what was found, folded away.
    Numbers(&'static str, &'static [&'static str]),
}

impl Part {
    /// The experiment it is of.
    fn experiment(&self) -> Option<&'static str> {
        match self {
            Text(_) | Report(_) => None,
            Settings(id) | Table(id, _) | Figures(id, _) | Found(id) | Numbers(id, _) => Some(id),
        }
    }
}

impl Question {
    /// The experiments that answer it.
    pub(crate) fn experiments(&self) -> impl Iterator<Item = &'static str> {
        self.answer.iter().filter_map(Part::experiment)
    }
}

use Part::{Figures, Found, Numbers, Report, Settings, Table, Text};

/// All problems.
pub(crate) const PROBLEMS: &[Problem] = &[
    Problem {
        id: "problem-1-1",
        title: "Problem 1-1: Simulate a function",
        experiments: &["function-fit"],
        questions: &[
            Question {
                short: "Models and functions",
                asked: "Describe the models you use, including the number of parameters (at least two models) and the function you use.",
                answer: &[
                    Text(
                        "Fully connected tanh networks of different depth and as good as equal size learn a function of one \
                         variable by its mean squared error. What differs between them is depth, not the number of parameters, \
                         which is counted from the tensors themselves.",
                    ),
                    Table("function-fit", "models"),
                    Settings("function-fit"),
                ],
            },
            Question {
                short: "Training loss",
                asked: "In one chart, plot the training loss of all models.",
                answer: &[Figures("function-fit", &["loss"])],
            },
            Question {
                short: "Predicted curves",
                asked: "In one graph, plot the predicted function curve of all models and the ground-truth function curve.",
                answer: &[Figures("function-fit", &["fit", "residuals"])],
            },
            Question {
                short: "Comment",
                asked: "Comment on your results. Use more than two models in all previous questions. (bonus) Use more than one function. (bonus)",
                answer: &[
                    Report(
                        "From the loss curves, we can see that the more complex the neuron network is, the better the results are.",
                    ),
                    Found("function-fit"),
                ],
            },
        ],
    },
    Problem {
        id: "problem-1-2",
        title: "Problem 1-2: Train on actual tasks",
        experiments: &["image-classification"],
        questions: &[
            Question {
                short: "Models and task",
                asked: "Describe the models you use and the task you chose.",
                answer: &[
                    Text(
                        "Convolutional networks of different depth and nearly equal size, and the network of the original report, \
                         learn to tell images apart. Loss and accuracy are taken over whole sets with fixed weights, never as the \
                         running mean of batches. Beyond the quick preset, clothes of Fashion-MNIST are the second task where that data \
                         set is at hand; `gradtop data fetch fashion-mnist` brings it, and makes it another study.",
                    ),
                    Table("image-classification", "models"),
                    Settings("image-classification"),
                ],
            },
            Question {
                short: "Training loss",
                asked: "In one chart, plot the training loss of all models.",
                answer: &[Figures("image-classification", &["loss"])],
            },
            Question {
                short: "Training accuracy",
                asked: "In one chart, plot the training accuracy.",
                answer: &[Figures("image-classification", &["accuracy", "error"])],
            },
            Question {
                short: "Comment",
                asked: "Comment on your results. Use more than two models in all previous questions. (bonus) Train on more than one task. (bonus)",
                answer: &[
                    Report(
                        "Two different model with different structures will give different training results. Because the network \
                         structures are similar, the loss and accuracy are comparable.",
                    ),
                    Found("image-classification"),
                    Figures("image-classification", &["confusion", "mistakes"]),
                ],
            },
        ],
    },
    Problem {
        id: "problem-2-1",
        title: "Problem 2-1: Visualize the optimization process",
        experiments: &["optimization-path"],
        questions: &[
            Question {
                short: "Settings",
                asked: "Describe your experiment settings. (The cycle you record the model parameters, optimizer, dimension reduction method, etc)",
                answer: &[
                    Text(
                        "All weights and biases of several networks, each with initial values and an order of the images of its own, \
                         are recorded before the first epoch and then at the cycle of epochs that the parameter `every` sets. The \
                         records of all runs together are projected onto their first two principal components, once for the whole \
                         network and once for one layer; each axis says what share of the variance it shows.",
                    ),
                    Settings("optimization-path"),
                ],
            },
            Question {
                short: "Paths of the weights",
                asked: "Train the model for 8 times, selecting the parameters of any one layer and whole model and plot them on the figures separately.",
                answer: &[Figures("optimization-path", &["path", "single", "scree"])],
            },
            Question {
                short: "Comment",
                asked: "Comment on your result.",
                answer: &[
                    Report(
                        "we can see that using PCA can successively reduce the dimension and get the important to features that \
                         describe the important weights.",
                    ),
                    Found("optimization-path"),
                    Figures("optimization-path", &["accuracy"]),
                ],
            },
        ],
    },
    Problem {
        id: "problem-2-2",
        title: "Problem 2-2: Gradient norm during training, and a gradient of almost zero",
        experiments: &["gradient-norm", "minimal-ratio", "error-surface"],
        questions: &[
            Question {
                short: "Gradient norm and loss",
                asked: "Plot one figure which contain gradient norm to iterations and the loss to iterations.",
                answer: &[
                    Settings("gradient-norm"),
                    Figures("gradient-norm", &["sinc-full", "sinc-batch", "mnist"]),
                ],
            },
            Question {
                short: "What happens when the gradient is almost zero",
                asked: "What happens when gradient is almost zero?",
                answer: &[
                    Report(
                        "If the gradient is almost zero, that means in the training process the loss function is very close to its \
                         local or global minimum. Therefore, the trained model is reaching the best model.",
                    ),
                    Text(
                        "A vanishing gradient says that the loss is flat here to first order. It does not tell a minimum from a \
                         saddle point or a plateau: that is up to the signs of the Hessian's eigenvalues. Nor does it say that the \
                         weights stand still, since an optimizer with a memory goes on moving. If small norms meant minima, all \
                         points of the following figure would lie at the left where they lie low.",
                    ),
                    Figures("gradient-norm", &["norm-loss"]),
                    Found("gradient-norm"),
                ],
            },
            Question {
                short: "Weights of zero gradient, and the minimal ratio",
                asked: "State how you get the weight which gradient norm is zero and how you define the minimal ratio.",
                answer: &[
                    Report(
                        "The minimal ratio can be computed by getting the second derivative of the loss function. If the minimal \
                         ratio is positive and greater than zero, that means the model is getting to the best training point.",
                    ),
                    Text(
                        "Many small networks are trained in double precision on the loss, each for a number of steps of its own, and \
                         then moved by Levenberg-Marquardt steps on half the squared norm of the gradient. A point counts as critical \
                         if that norm ends below a bound, which is a parameter of the run; every other point is drawn too and marked. \
                         At each point the Hessian is computed whole and without approximation. The minimal ratio is a share of its \
                         eigenvalues, so it can be neither negative nor a sign of the best point: here the share of positive ones \
                         among those that can be told from zero, and beside it that of the course, the share of positive ones among \
                         all.",
                    ),
                    Settings("minimal-ratio"),
                    Figures("minimal-ratio", &["ratio-*", "convergence-*"]),
                ],
            },
            Question {
                short: "Comment",
                asked: "Comment your result. (The assignment also asked to train 100 times and to plot the minimal ratio against the loss; the report has lost that figure.)",
                answer: &[
                    Found("minimal-ratio"),
                    Figures("minimal-ratio", &["tolerance-*", "spectra-*", "sampled-*"]),
                ],
            },
            Question {
                short: "Bonus: the error surface",
                asked: "Visualize the error surface. (bonus of the assignment, not in the report)",
                answer: &[
                    Text(
                        "The loss is drawn on the line from the initial to the final parameters and on planes through the trained \
                         network: along two random directions normalised by filter, along the principal components of the way the \
                         training took, and along the Hessian's eigenvectors of largest and smallest eigenvalue.",
                    ),
                    Settings("error-surface"),
                    Figures("error-surface", &["line-*", "random-*", "path-*", "eigen-*", "slices-eigen-*"]),
                    Found("error-surface"),
                ],
            },
        ],
    },
    Problem {
        id: "problem-3-1",
        title: "Problem 3-1: Can a network fit random labels?",
        experiments: &["random-labels"],
        questions: &[
            Question {
                short: "Settings",
                asked: "Describe your settings of the experiments. (e.g. which task, learning rate, optimizer)",
                answer: &[
                    Text(
                        "Labels of the training set are replaced by random ones once, before training, and stay fixed over all epochs; \
                         labels of the test set stay true. Whether a network can fit random labels is decided by its accuracy on the \
                         training set.",
                    ),
                    Settings("random-labels"),
                ],
            },
            Question {
                short: "Training and testing, loss and epochs",
                asked: "Plot the figure of the relationship between training and testing, loss and epochs.",
                answer: &[
                    Figures("random-labels", &["*"]),
                    Report(
                        "From this plot we can see that though the training loss is decreasing as the learning process goes, the testing \
                         loss climes up. Which means the model is over-fitting the training set, and the predictive power is weak. This \
                         infers that this CNN model cannot fit with random label.",
                    ),
                    Text(
                        "A rising loss on the test set is what successful memorising looks like: there is nothing in random labels that \
                         could carry over.",
                    ),
                    Found("random-labels"),
                    Numbers("random-labels", &["fits"]),
                ],
            },
        ],
    },
    Problem {
        id: "problem-3-2",
        title: "Problem 3-2: Number of parameters against generalization",
        experiments: &["model-size"],
        questions: &[
            Question {
                short: "Settings",
                asked: "Describe your settings of the experiments. (e.g. which task, the 10 or more structures you choose)",
                answer: &[
                    Text(
                        "Networks of one family and of many widths are trained in the same way, on many images and on few, the latter \
                         also with a share of random labels. Beside them stand random features whose last layer is solved for exactly: \
                         they show what size does without any training.",
                    ),
                    Settings("model-size"),
                ],
            },
            Question {
                short: "Loss and accuracy against the number of parameters",
                asked: "Plot the figures of both training and testing, loss and accuracy to the number of parameters.",
                answer: &[Figures("model-size", &["*"])],
            },
            Question {
                short: "Comment",
                asked: "Comment your result.",
                answer: &[
                    Report(
                        "we can see that when the model parameters are increasing, the training and testing loss have a decreasing trend, \
                         while the accuracy data has an increasing trend. The models tested here are only 10 models, if more models are \
                         trained, this trend will be more obvious.",
                    ),
                    Found("model-size"),
                    Numbers("model-size", &["full", "subset", "features"]),
                ],
            },
        ],
    },
    Problem {
        id: "problem-3-3",
        title: "Problem 3-3: Flatness against generalization",
        experiments: &["interpolation", "sensitivity"],
        questions: &[
            Question {
                short: "Settings",
                asked: "Describe the settings of the experiments (e.g. which task, what training approaches)",
                answer: &[
                    Text(
                        "For the interpolation, pairs of networks are trained with a small and a large batch, or with two learning rates, \
                         from the same and from different initial values. For the sensitivity, one network is trained with several \
                         batch sizes: for the same number of epochs, for the same number of steps, and until the same training loss.",
                    ),
                    Settings("interpolation"),
                    Settings("sensitivity"),
                ],
            },
            Question {
                short: "Loss and accuracy against the interpolation ratio",
                asked: "Plot the figures of both training and testing, loss and accuracy to the number of interpolation ratio.",
                answer: &[
                    Text(
                        "The networks on the line have the parameters of the first network, times one minus the interpolation ratio, plus \
                         those of the second, times the ratio. The barrier is the most that the loss between the two lies above the \
                         straight line through their losses.",
                    ),
                    Figures("interpolation", &["*"]),
                    Found("interpolation"),
                    Numbers("interpolation", &["barriers"]),
                ],
            },
            Question {
                short: "Loss, accuracy and sensitivity against the batch size",
                asked: "Plot the figures of both training and testing, loss and accuracy, sensitivity to your chosen variable.",
                answer: &[
                    Text(
                        "Sensitivity is the Frobenius norm of the derivatives of a network's outputs by its inputs, taken at each point of \
                         a fixed part of the test set and averaged. What is compared at a fixed number of epochs differs in how far it is \
                         trained; the protocol of matched training loss takes that away.",
                    ),
                    Figures("sensitivity", &["*"]),
                    Report(
                        "The sensitivity peaks at batch size around 4500, which means there is a best choice for the training batch size.",
                    ),
                    Found("sensitivity"),
                    Numbers("sensitivity", &["trends", "generalisation", "networks", "edge"]),
                ],
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::super::plan::Plan;
    use super::*;

    fn parts() -> impl Iterator<Item = (&'static Problem, &'static Part)> {
        PROBLEMS.iter().flat_map(|p| p.questions.iter().flat_map(|q| q.answer).map(move |part| (p, part)))
    }

    #[test]
    fn our_own_words_hold_no_number() {
        for (problem, part) in parts() {
            if let Text(words) = part {
                let digit = words.chars().any(|c| c.is_ascii_digit());
                assert!(!digit, "{}: {words:?} has a number that no run measured", problem.title);
                assert!(words.ends_with('.'), "{}: {words:?} is no sentence", problem.title);
            }
        }
    }

    #[test]
    fn every_experiment_is_described_shown_and_concluded_from() {
        let plan = Plan::of_preset("quick", false).unwrap();
        for entry in &plan.entries {
            let id = entry.experiment.as_str();
            let count = |of: &dyn Fn(&Part) -> bool| {
                parts().filter(|(problem, part)| problem.experiments.contains(&id) && of(part)).count()
            };
            assert_eq!(count(&|p| matches!(p, Settings(e) if *e == id)), 1, "{id}: settings");
            assert_eq!(count(&|p| matches!(p, Found(e) if *e == id)), 1, "{id}: conclusion");
            assert!(count(&|p| matches!(p, Figures(e, _) if *e == id)) > 0, "{id}: figures");
        }
    }
}
