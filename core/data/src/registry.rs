//! The known data sets and the expected content of their files.

/// A data set of small grey images with one label each, in IDX files.
#[derive(Debug, PartialEq)]
pub struct Dataset {
    /// Name on the command line and of its folder.
    pub name: &'static str,
    /// Title for display.
    pub title: &'static str,
    /// The classes, by label.
    pub classes: [&'static str; 10],
    /// Mean of the training pixels, scaled to 0 … 1.
    pub mean: f64,
    /// Standard deviation of the training pixels, scaled to 0 … 1.
    pub std: f64,
    /// Licence, as stated by its publishers.
    pub licence: &'static str,
    /// Publisher and description.
    pub source: &'static str,
    /// URLs to which a file's name is appended, best first.
    pub mirrors: &'static [&'static str],
    /// The folder of a package of the distribution that contains it, and that package.
    pub packaged: Option<(&'static str, &'static str)>,
    /// Training images, training labels, test images, test labels.
    pub files: [PartFile; 4],
}

/// One file of a data set.
#[derive(Debug, PartialEq)]
pub struct PartFile {
    /// Its name, compressed.
    pub name: &'static str,
    /// Size of the uncompressed IDX file in bytes.
    pub bytes: u64,
    /// SHA-256 of the uncompressed IDX file, because publishers and distributions compress it differently.
    pub sha256: &'static str,
}

/// Returns the data set of this name.
pub fn named(name: &str) -> Option<&'static Dataset> {
    DATASETS.iter().find(|dataset| dataset.name == name)
}

/// Creates the four files of a data set with the shapes of MNIST, given the SHA-256 of each.
const fn files([train_images, train_labels, test_images, test_labels]: [&'static str; 4]) -> [PartFile; 4] {
    const PIXELS: u64 = 28 * 28;
    [
        PartFile { name: "train-images-idx3-ubyte.gz", bytes: 16 + 60_000 * PIXELS, sha256: train_images },
        PartFile { name: "train-labels-idx1-ubyte.gz", bytes: 8 + 60_000, sha256: train_labels },
        PartFile { name: "t10k-images-idx3-ubyte.gz", bytes: 16 + 10_000 * PIXELS, sha256: test_images },
        PartFile { name: "t10k-labels-idx1-ubyte.gz", bytes: 8 + 10_000, sha256: test_labels },
    ]
}

/// All known data sets.
pub static DATASETS: [Dataset; 2] = [
    Dataset {
        name: "mnist",
        title: "MNIST",
        classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        mean: 0.1307,
        std: 0.3081,
        licence: "CC BY-SA 3.0",
        source: "LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/",
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ],
        packaged: None,
        files: files([
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ]),
    },
    Dataset {
        name: "fashion-mnist",
        title: "Fashion-MNIST",
        classes: [
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ],
        mean: 0.2860,
        std: 0.3530,
        licence: "MIT",
        source: "Zalando Research, https://github.com/zalandoresearch/fashion-mnist",
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        packaged: Some(("/usr/share/datasets/fashion-mnist", "dataset-fashion-mnist")),
        files: files([
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ]),
    },
];
