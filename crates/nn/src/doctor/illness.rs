//! The illnesses: their names, where the course speaks of them, what helps.

macro_rules! illnesses {
    ($($illness:ident: $name:literal, $lecture:literal, $remedy:literal;)*) => {
        /// What can be wrong with a training run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Illness {
            $(#[doc = $name] $illness,)*
        }

        impl Illness {
            /// All of them.
            pub const ALL: [Illness; [$($name),*].len()] = [$(Illness::$illness),*];

            /// The name, the lecture, what helps.
            fn entry(self) -> [&'static str; 3] {
                match self {
                    $(Illness::$illness => [$name, $lecture, $remedy],)*
                }
            }
        }
    };
}

illnesses! {
    NotFinite:
        "NaN or infinity in training", "course 2, lecture 1.10",
        "lower the rate or clip the gradient; Trainer::anomaly finds the operation";
    DeadRelu:
        "dead ReLU", "course 1, lecture 3.7",
        "lower the rate, start biases at 0 and weights with Init::He, or use leaky_relu";
    Saturated:
        "saturated activation", "course 1, lecture 3.7",
        "start with Init::Xavier and standardise the inputs, or use relu";
    VanishingGradient:
        "vanishing gradient", "course 2, lecture 1.10",
        "use relu with Init::He, batch normalisation or skip connections";
    ExplodingGradient:
        "exploding gradient", "course 2, lecture 1.10",
        "start with Init::He or Init::Xavier; clip with ClipGlobalNorm";
    RateTooHigh:
        "learning rate too high", "course 2, lecture 2.9",
        "divide the rate by 10";
    RateTooLow:
        "learning rate too low", "course 2, lecture 2.9",
        "multiply the rate by 10 until the update is about 1e-3 of the weights";
    PoorScale:
        "poor initial scale", "course 2, lecture 1.11",
        "start weights with Init::He for relu, Init::Xavier for tanh";
    Symmetric:
        "symmetric units", "course 1, lecture 3.11",
        "draw weights at random, for instance with Init::He";
    StartLoss:
        "loss at the start not what it must be", "course 2, lecture 3.8",
        "start the last layer small; let the loss be a mean over the examples";
    OutputBias:
        "output bias far from the labels", "course 2, lecture 1.11",
        "start the last bias at the log-odds of the labels, or at the mean of the targets, or standardise the targets";
    NeverMoves:
        "parameter never moves", "course 1, lecture 2.4",
        "see that the loss depends on it in more than rounding, and that it is not frozen";
    LossStalls:
        "loss stalls", "course 2, lecture 2.10",
        "raise the rate, look at the gradients, try to overfit one batch";
    LossDiverges:
        "loss diverges", "course 2, lecture 2.9",
        "divide the rate by 10";
    LossOscillates:
        "loss oscillates", "course 2, lecture 2.6",
        "lower the rate, or add momentum";
    LossSpikes:
        "loss spikes", "course 2, lecture 2.2",
        "look at the batch of this step; clip the gradient";
    InputsNotNormalised:
        "inputs not normalised", "course 2, lecture 1.9",
        "data::Standardize, fitted on the training set";
    InputsConstant:
        "inputs constant", "course 2, lecture 1.9",
        "leave these columns out, and look at how they were read";
    InputsNotFinite:
        "NaN or infinity in the inputs", "course 2, lecture 1.9",
        "leave these rows out, or fill the values in";
    LabelsImbalanced:
        "labels imbalanced", "course 3, lecture 1.3",
        "weight the classes, and measure F1 or balanced accuracy";
    LabelsInOrder:
        "labels in order", "course 2, lecture 2.1",
        "shuffle the examples before they are cut into batches";
    SquashedTwice:
        "softmax or sigmoid twice", "course 2, lecture 3.9",
        "hand the logits to the loss: it has the softmax or sigmoid within";
    LogitsAsProbabilities:
        "logits into a loss of probabilities", "course 1, lecture 2.2",
        "use the loss with logits, or end in sigmoid";
    ActivationMissing:
        "activation missing between layers", "course 1, lecture 3.7",
        "put relu or tanh between them: without it two layers are one";
    ActivationOnOutput:
        "activation on the output", "course 1, lecture 3.6",
        "let the last layer be linear";
    ExamplesMix:
        "examples of a batch mix", "course 1, lecture 2.11",
        "look for a reshape, softmax or mean along axis 0";
    DataUnused:
        "data does nothing", "course 1, lecture 2.11",
        "look for what cuts the inputs off: a zero, a stop_gradient, a wrong variable";
    CannotOverfit:
        "cannot overfit one batch", "course 2, lecture 1.2",
        "there is a mistake in model, loss or labels, or the model is too small";
    Underfits:
        "high bias", "course 2, lecture 1.3",
        "a bigger network, longer training, a better optimiser, less penalty";
    Overfits:
        "high variance", "course 2, lecture 1.3",
        "more data, a penalty or dropout, early stopping, a smaller network";
    SplitsDiffer:
        "training and dev data differ", "course 3, lecture 2.5",
        "make the training data more like the dev data";
    DevOverused:
        "overfitted to the dev set", "course 3, lecture 2.5",
        "a larger dev set";
    PenaltyDominates:
        "penalty dominates the loss", "course 2, lecture 1.4",
        "divide λ by 10";
    ModesDiffer:
        "training and evaluation differ", "course 2, lecture 3.7",
        "train longer for the running statistics, use larger batches, or lower the dropout";
    DuplicatesAcross:
        "rows in training and dev", "course 2, lecture 1.1",
        "split by what the rows belong to, after duplicates are out";
    DevTooGood:
        "dev suspiciously good", "course 3, lecture 1.5",
        "look for leakage, and for a dev set that is easier or tiny";
}

impl Illness {
    /// What it is called.
    pub fn name(self) -> &'static str {
        self.entry()[0]
    }

    /// Where the course speaks of it: course, week, lecture.
    pub fn lecture(self) -> &'static str {
        self.entry()[1]
    }

    /// What helps.
    pub fn remedy(self) -> &'static str {
        self.entry()[2]
    }

    /// Those that follow from this one, and are not told beside it.
    pub(super) fn explains(self) -> &'static [Illness] {
        use Illness::*;
        match self {
            Symmetric => &[VanishingGradient, LossStalls, NeverMoves, DeadRelu, PoorScale, DataUnused],
            DeadRelu => &[VanishingGradient, LossStalls, NeverMoves, DataUnused],
            RateTooHigh => &[
                DeadRelu,
                Saturated,
                LossOscillates,
                LossSpikes,
                LossDiverges,
                LossStalls,
                NeverMoves,
                NotFinite,
                ExplodingGradient,
                VanishingGradient,
                DataUnused,
            ],
            LossDiverges => &[LossSpikes, LossOscillates],
            RateTooLow | VanishingGradient | DataUnused | Saturated => &[LossStalls],
            InputsNotFinite => &[NotFinite, LossDiverges, InputsNotNormalised],
            InputsNotNormalised => &[
                PoorScale,
                StartLoss,
                Saturated,
                DeadRelu,
                LossOscillates,
                LossDiverges,
                LossStalls,
                NotFinite,
                ExplodingGradient,
                VanishingGradient,
                RateTooHigh,
                LossSpikes,
            ],
            PoorScale => &[
                DeadRelu,
                NeverMoves,
                StartLoss,
                Saturated,
                VanishingGradient,
                ExplodingGradient,
                LossStalls,
                RateTooLow,
            ],
            ExplodingGradient => &[NotFinite, StartLoss, LossDiverges, LossSpikes],
            SquashedTwice | ActivationOnOutput => &[LossStalls, DeadRelu, Saturated],
            LabelsImbalanced => &[OutputBias],
            PenaltyDominates => &[StartLoss, LossStalls],
            LabelsInOrder => &[LossSpikes, LossOscillates],
            _ => &[],
        }
    }
}
