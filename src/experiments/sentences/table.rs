//! The table: a line for each sentence.

use super::Answers::{self, Against, AsItStands, Tested};
use super::Sentence;
use crate::report::Right;

pub(super) const fn right(statement: &'static str, derivation: &'static [&'static str]) -> Answers {
    Answers::Instead(Right { statement, derivation })
}

/// All of them, in the order of the document.
pub const SENTENCES: &[Sentence] = &[
    Sentence::new("2.1.2", "Backward in reverse topological order gives the gradient.", &[], Tested)
        .remark("By construction of the arena; the tests compare random graphs with difference quotients."),
    Sentence::new(
        "2.1.6",
        "Forward pass, backward pass and memory are $O(V+E)$: linear in the depth (figure 1).",
        &[
            ("graph-size", "forward-linear", "Forward pass, exponent of the time"),
            ("graph-size", "backward-linear", "Backward pass, exponent of the time"),
        ],
        AsItStands,
    )
    .remark("A test counts nodes and memory: each layer adds the same amount of both."),
    Sentence::new(
        "2.1.6",
        "A network of $L$ layers has $O(L)$ nodes and costs $O(L·n·d²)$.",
        &[
            ("complexity", "time-network-n", "Network, exponent of n"),
            ("complexity", "time-network-d", "Network, exponent of d"),
            ("complexity", "time-network-l", "Network, exponent of L"),
        ],
        AsItStands,
    )
    .remark("A test counts the nodes: each layer adds the same number."),
    Sentence::new(
        "3.1.2",
        "SGD with $η/√t$ on a convex loss: the mean of the iterates is within $DG/√T$ of the optimum.",
        &[
            ("convex-bounds", "average-bound-decaying", "Rate that falls, share of the bound"),
            ("convex-bounds", "average-bound", "Constant rate, share of the bound"),
        ],
        right(
            "Proven for the constant rate $D/(G√T)$. For $D/(G√t)$ the proof needs a bounded set, and gives \
             ${3}/{2}·DG/√T$.",
            &[
                "A step satisfies $2η_t(L(w_t)−L*) ≤ ‖w_t−w*‖² − ‖w_{t+1}−w*‖² + η_t²G²$ on average.",
                "With a constant rate, sum over $t$. The mean of the iterates is within ${D²}/{2ηT} + \
                 {ηG²}/{2}$, with $D = ‖w₁−w*‖$. At $η = D/(G√T)$ that is $DG/√T$.",
                "With $η_t$ and all $‖w_t−w*‖ ≤ D$ the bound is ${D²}/{2η_T T} + {G²}/{2T}·Σ_t η_t ≤ \
                 {DG}/{2√T} + {DG}/{√T}$.",
            ],
        ),
    )
    .remark("Measured with the $D$ and $G$ of the problems: here both rates stay below $DG/√T$."),
    Sentence::new(
        "3.1.2",
        "The loss falls as $1/√T$ where it is convex, apart from a logarithm, and as $1/T$ where strongly \
         convex.",
        &[
            ("convergence-rates", "convex-rate", "Convex, exponent of T"),
            ("convergence-rates", "strongly-convex-rate", "Strongly convex, exponent of T"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "3.1.3",
        "Momentum improves the dependence from $(L/μ)²$ to $L/μ$.",
        &[
            ("convergence-rates", "descent-kappa", "Descent, exponent of κ"),
            ("convergence-rates", "momentum-root-kappa", "Momentum, exponent of κ"),
        ],
        right(
            "The number of steps grows as $κ = L/μ$ for gradient descent. It grows as $√κ$ for momentum, \
             apart from a logarithm.",
            &[
                "Descent at $η = {2}/{L+μ}$ leaves $|1−ηλ| ≤ {κ−1}/{κ+1} ≈ 1 − {2}/{κ}$ of each direction \
                 per step.",
                "The steps of the heavy ball have the roots of $z² − (1+β−ηλ)z + β$. With $√β = \
                 {√κ−1}/{√κ+1}$ and $η = {4}/{{(√L+√μ)}²}$ all roots have modulus $√β ≈ 1 − {2}/{√κ}$.",
                "To reduce the distance to a share $ε$, descent needs about ${κ}/{2}·ln(1/ε)$ steps. \
                 Momentum needs ${√κ}/{2}·ln(1/ε)$, apart from a logarithm, because the roots for $λ = μ$ \
                 and $λ = L$ are double.",
            ],
        ),
    ),
    Sentence::new("3.2", "RMSProp has $ε$ inside the root.", &[], Tested)
        .remark("A convention that this library keeps: $η·g/√{v+ε}$. The tests take a step by hand."),
    Sentence::new(
        "3.3.1",
        "Adam has $ε$ inside the root (equation 4).",
        &[],
        right(
            "Adam has it outside, $η·m̂/(√{v̂}+ε)$, like the document's own table and this library.",
            &[
                "Kingma and Ba (2015), algorithm 1, divide by $√{v̂}+ε$; equation 4 divides by $√{v̂+ε}$.",
                "Where $√{v̂}$ is much larger than $√ε$, both are about $√{v̂}$, and steps are $η·m̂/√{v̂}$.",
                "Where $v̂$ is near 0, one step is $η·m̂/ε$ and the other $η·m̂/√ε$: $10⁴$ times smaller at \
                 $ε = 10⁻⁸$.",
            ],
        ),
    ),
    Sentence::new(
        "3.3.2",
        "Without its correction the first moment is too small by $1−β₁$.",
        &[("convergence-rates", "adam-first-moment", "First moment after 10 steps, of the mean")],
        right(
            "After $t$ steps it is too small by the factor $1−β₁ᵗ$. That is $1−β₁$ at the first step only.",
            &[
                "$m_t = (1−β₁)·Σ_{k=1}^t β₁^{t−k}·g_k$ from $m_0 = 0$.",
                "For gradients with mean $g$, $m_t$ has the mean $g·(1−β₁)·Σ_{j=0}^{t−1} β₁^j$.",
                "The sum is ${1−β₁ᵗ}/{1−β₁}$, so the mean is $g·(1−β₁ᵗ)$. Adam divides by $1−β₁ᵗ$.",
            ],
        ),
    ),
    Sentence::new(
        "3.3.2",
        "A loss times $c$ leaves Adam's step unchanged: its parts scale by $c$ and $√c$.",
        &[("convergence-rates", "adam-scale", "Distance apart, of the first")],
        right(
            "Apart from $ε$ the step is unchanged: $m̂$ and $√{v̂}$ both scale by $c$.",
            &[
                "$m̂$ is a weighted mean of gradients: $g → c·g$ makes it $c·m̂$.",
                "$v̂$ is a weighted mean of squares: it becomes $c²·v̂$. Its root becomes $c·√{v̂}$, not \
                 $√c$ times as large.",
                "${c·m̂}/{c·√{v̂}} = {m̂}/{√{v̂}}$, but for $ε$.",
            ],
        ),
    ),
    Sentence::new(
        "3.4",
        "On Rosenbrock's function Adam converges fastest (figure 2).",
        &[("rosenbrock", "adam-first", "ln of the steps of the next best over Adam's")],
        AsItStands,
    )
    .remark("At a fixed rate it does not end closest: momentum does."),
    Sentence::new(
        "3.4",
        "Plain SGD stays stuck in the valley.",
        &[("rosenbrock", "sgd-late-rate", "SGD's late rate, of the theory's")],
        Against,
    )
    .remark("It is slow, but converges linearly."),
    Sentence::new(
        "4.1.3",
        "The binary cross-entropy is convex, with second derivatives $XᵀSX/n$.",
        &[],
        Tested,
    )
    .remark(
        "$XᵀSX$ has no negative eigenvalue for any $S ≥ 0$; the tests compare it with difference quotients.",
    ),
    Sentence::new(
        "4.1.3",
        "It has one optimum if $X$ has full column rank, and descent comes to it in $O(1/T)$.",
        &[
            ("logistic", "one-optimum", "Distance of the ends from the optimum"),
            ("logistic", "one-over-t", "Share of the bound ‖w₀−w*‖²/2ηT"),
            ("convex-bounds", "descent-bound", "Share of the bound, classes that overlap"),
            ("convex-bounds", "separable-bound", "Share of the bound, separable classes"),
        ],
        right(
            "Full rank makes an optimum unique, but an optimum need not exist: the classes must overlap as \
             well.",
            &[
                "If some $w$ separates the classes, every margin $y_i·w·x_i$ is positive, with $y_i = ±1$.",
                "Along $s·w$ the loss ${1}/{n}·Σ_i ln(1+exp(−s·y_i·w·x_i))$ falls for all $s$, to its \
                 infimum 0.",
                "No finite point has a loss of 0. So there is no optimum, whatever the rank of $X$ is.",
            ],
        ),
    ),
    Sentence::new(
        "4.2.3",
        "He's $σ² = 2/d$ keeps the variance through layers of ReLU.",
        &[
            ("gradient-flow", "he-keeps-variances", "He, factor at each layer"),
            ("gradient-flow", "xavier-halves", "Xavier, factor at each layer"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "4.2.3",
        "Xavier's $σ² = 1/d$ does so for tanh and sigmoid.",
        &[
            ("gradient-flow", "xavier-tanh", "tanh, factor at each layer"),
            ("gradient-flow", "xavier-sigmoid", "Sigmoid, backward, factor at each layer"),
        ],
        right(
            "For tanh this holds near 0 only. For sigmoids the variance of the values converges, and the \
             gradients vanish.",
            &[
                "A layer multiplies the mean square of values by ${E φ(z)²}/{E z²}$, and that of gradients \
                 by $E φ′(z)²$.",
                "For tanh, $|φ(z)| < |z|$ and $φ′(z) < 1$ for $z ≠ 0$. Both factors are below 1, and near 1 \
                 for small $z$.",
                "For the sigmoid, $q = E φ(z)²$ with $z$ of variance $q$ converges to about 0.26. As $φ′(z) \
                 ≤ {1}/{4}$, each layer leaves at most ${1}/{16}$ of the mean square of gradients.",
            ],
        ),
    ),
    Sentence::new(
        "4.2.6",
        "$‖δ¹‖ ≈ ‖δ^L‖·∏‖W‖·φ′_max$: gradients vanish below 1 and explode above (figure 4).",
        &[
            ("gradient-flow", "sigmoid-vanishes", "Sigmoid, log₁₀ of what is left of the gradient"),
            ("gradient-flow", "fates", "Nine networks, log₁₀ of what is left"),
        ],
        right(
            "The product is only a bound. A layer of a wide network leaves $√{σ²·E φ′(z)²}$ of the gradient.",
            &[
                "$δ^l = φ′(z^l) ⊙ Wᵀ δ^{l+1}$, so $‖δ^l‖ ≤ φ′_max·‖W‖·‖δ^{l+1}‖$. This is an upper bound, \
                 not an approximation.",
                "With independent weights of variance $σ²/n$ the mean of $‖Wᵀ δ‖²$ is $σ²·‖δ‖²$.",
                "So $‖δ^l‖² ≈ σ²·E φ′(z)²·‖δ^{l+1}‖²$, where $z$ has the distribution of that layer.",
            ],
        ),
    ),
    Sentence::new(
        "4.3.3",
        "$α* = (K+nλI)⁻¹y$.",
        &[(
            "representer",
            "same-function",
            "Distance to that fit, as share of the start",
        )],
        AsItStands,
    )
    .remark("Gradient descent in a larger set of functions comes to the fit of that formula."),
    Sentence::new(
        "4.3.4",
        "The Gram matrix takes one product, $O(n₁·n₂·d)$.",
        &[
            ("complexity", "time-gram-matrix-n", "Exponent of n"),
            ("complexity", "time-gram-matrix-d", "Exponent of d"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "4.3.5",
        "Directions shrink by $d/(d+nλ)$: with $λ$ the bias grows and the variance falls.",
        &[
            ("kernel-ridge-sine", "bias-lambda", "Bias"),
            ("kernel-ridge-sine", "noise-variance-lambda", "Variance, exponent of λ"),
        ],
        AsItStands,
    )
    .remark(
        "The variance is that at fixed inputs. The tests find that it falls there at every place. Over new \
         inputs it rises a little where the bias begins.",
    ),
    Sentence::new(
        "4.3.6",
        "The solution takes $O(n³)$, with a slope of 2.9 measured (figure 12).",
        &[("complexity", "time-solution-n", "Solution, exponent of n")],
        AsItStands,
    )
    .remark("Judged is whether 3 is the nearest whole number. The slope grows towards 3 with the size."),
    Sentence::new(
        "4.3.6",
        "Nyström, $O(nm²)$, and random features, $O(nD)$, make it scale.",
        &[
            ("kernel-approximations", "nystrom-time-n", "Nyström, exponent of n"),
            ("kernel-approximations", "fourier-time-n", "Random features, exponent of n"),
        ],
        AsItStands,
    )
    .remark("Linear in $n$. Computing $D$ features costs $O(nD)$, and the fit on them $O(nD²)$."),
    Sentence::new(
        "fig. 6",
        "Large $γ$ and small $λ$ overfit, small $γ$ and large $λ$ underfit.",
        &[
            ("kernel-ridge-sine", "bias-gamma", "Fall of bias² with γ"),
            ("kernel-ridge-sine", "noise-variance-gamma", "Variance, exponent of γ"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "5.2",
        "Projecting 784 pixels to 64 and standardising speeds up training.",
        &[
            ("optimizers", "standardising-adam", "Adam, speed standardised over not"),
            ("optimizers", "standardising-sgd", "SGD, speed standardised over not"),
        ],
        AsItStands,
    )
    .remark(
        "Each optimizer is compared with itself on the unscaled projections. The sentence counts as \
         confirmed if both gain. The cost of 64 inputs instead of 784 can be counted: the first layer has a \
         twelfth of the multiply-adds.",
    ),
    Sentence::new(
        "6.1",
        "Adam converges fastest (figure 8).",
        &[
            ("optimizers", "rmsprop-first", "Early training loss, Adam minus RMSProp"),
            ("optimizers", "adaptive-first", "Early training loss, fixed rates minus adaptive"),
        ],
        right(
            "At the same rate RMSProp is ahead of Adam at first. Which one is ahead depends on the rate.",
            &[
                "RMSProp moves a weight by ${η·|g|}/{√v}$ per step, which is about $η$.",
                "Adam moves it by ${η·|m̂|}/{√{v̂}}$. If gradients are mostly noise, $E m² = \
                 {1−β₁}/{1+β₁}·E g²$. That is ${1}/{19}$ of $E g²$ for $β₁ = 0.9$.",
                "So Adam moves a weight by about $0.23·η$, and further where gradients keep their sign.",
            ],
        ),
    ),
    Sentence::new(
        "6.1",
        "Adam reaches the best accuracy.",
        &[("optimizers", "adam-best", "Accuracy, Adam less the best other; needs 0.005")],
        AsItStands,
    )
    .remark(
        "Of SGD, momentum, RMSProp and Adam, each at a given rate, on the same seeds. A lead counts from \
         half a point: smaller leads change with the seed.",
    ),
    Sentence::new(
        "6.2",
        "Adam's window of rates is $10⁻³$ to $10⁻²$; above 0.1 it oscillates (figure 9).",
        &[
            ("learning-rate", "window", "Powers of ten in the window"),
            ("learning-rate", "recommended-rates", "Rates from 10⁻³ to 10⁻², accuracy"),
            ("learning-rate", "too-large", "Rates above, accuracy"),
        ],
        right(
            "These rates are good. But the window is wider, and it moves with the inputs and the number of \
             steps.",
            &[
                "A step of Adam moves each weight by about $η$, whatever the size of its gradient.",
                "In $T$ steps a weight moves by about $ηT$ at most. Rates are too small where that is less \
                 than its size.",
                "One step changes the weighted sum of a unit by up to $η·Σ_i |x_i|$. Rates are too large \
                 where that is far above 1.",
            ],
        ),
    )
    .remark(
        "For the rates above 0.1 the accuracy is measured. The figure shows that the loss goes up and down \
         there.",
    ),
    Sentence::new(
        "6.2",
        "Under the PL condition $L(θ_t)−L* ≤ (1−2μη)ᵗ (L(θ_0)−L*)$ for $η ≤ 1/L$.",
        &[("convergence-rates", "pl-factor", "Smallest share that a step removes")],
        right(
            "With ${1}/{2}‖∇L‖² ≥ μ(L−L*)$ the factor is $1−μη(2−Lη)$: at $η = 1/L$ it is $1−μ/L$.",
            &[
                "Smoothness: $L(θ−η∇L) ≤ L(θ) − η‖∇L‖² + {1}/{2}Lη²‖∇L‖²$. The right side is $L(θ) − \
                 {η}/{2}(2−Lη)‖∇L‖²$.",
                "PL: $‖∇L‖² ≥ 2μ(L(θ)−L*)$. So a step reduces the loss by at least $μη(2−Lη)(L(θ)−L*)$.",
                "For $η ≤ 1/L$, $2−Lη ≥ 1$, so the factor is at most $1−μη$. The factor $1−2μη$ is only the \
                 limit of small $η$.",
            ],
        ),
    ),
    Sentence::new(
        "6.2",
        "Rates above $2/μ$ are unstable.",
        &[("convergence-rates", "descent-limit", "Factor of the distance at each step at 2.1/L")],
        right(
            "Descent is unstable above $2/L$, which is smaller.",
            &[
                "On a quadratic each step multiplies a direction of curvature $λ$ by $1−ηλ$.",
                "It stays bounded only if $|1−ηλ| ≤ 1$, that is $η ≤ 2/λ$.",
                "The steepest direction, $λ = L ≥ μ$, decides: $η ≤ 2/L$.",
            ],
        ),
    ),
    Sentence::new(
        "6.3",
        "A $λ$ of about $10⁻⁴$ narrows the gap on 100 samples without loss (figure 10).",
        &[("regularisation", "gap-small-lambda", "Share of the gap that is closed; needs 0.1")],
        AsItStands,
    )
    .remark(
        "In this number of steps so small a λ hardly changes the weights. The experiment also measures the \
         gain of a λ chosen on other images.",
    ),
    Sentence::new("6.3", "L2 is the most likely estimate under a Gaussian prior.", &[], Tested).remark(
        "It follows from the logarithm of the prior; the tests compare both gradients and both values.",
    ),
    Sentence::new(
        "6.4",
        "On the spiral a network reaches 0.97 and kernel ridge regression 0.95 (figure 11).",
        &[
            ("models", "spiral-network", "Accuracy, network"),
            ("models", "spiral-kernel", "Accuracy, kernel ridge regression"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "6.4",
        "Logistic regression reaches 0.60 there.",
        &[("models", "spiral-lines", "Accuracy, logistic regression")],
        AsItStands,
    )
    .remark(
        "What lines reach depends on how far the arms turn. Here they turn 0.56 times from one end to the \
         other. A third of a turn is 0.595 of that.",
    ),
    Sentence::new(
        "7.1",
        "Differentiation is linear in the depth, the network in $n$, and the solution goes as $n³$.",
        &[
            ("complexity", "time-chain-depth", "Differentiation, exponent of the depth"),
            ("complexity", "time-network-n", "Network, exponent of n"),
            ("complexity", "time-solution-n", "Solution, exponent of n"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "7.3",
        "Kernel ridge regression is cheaper than a network while $n² ≪ L·d²·E$.",
        &[
            ("complexity", "crossing-place", "At n² = L·d²·E, fit over network"),
            ("complexity", "crossing-work", "At n² = 100·L·d²·E, fit over network"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "7.3",
        "So kernel ridge regression is for $n ≤ 5000$, and a network for $n > 10⁴$.",
        &[
            ("complexity", "crossing-place", "At n² = L·d²·E, fit over network"),
            ("complexity", "crossing-work", "At n² = 100·L·d²·E, fit over network"),
            ("models", "images-kernel-network", "Accuracy, kernel machine less network"),
        ],
        right(
            "$n$ alone does not decide. If all multiply-adds are equally fast, both take the same time at \
             $n = √{18·L·d²·E}$.",
            &[
                "The Cholesky factor of an $n×n$ matrix takes ${n³}/{6}$ multiply-adds.",
                "Training needs three multiply-adds for each of $L·d²$ weights, $n$ samples and $E$ epochs: \
                 $3·L·d²·E·n$.",
                "They are equal at $n² = 18·L·d²·E$. For $L = 2$, $d = 128$, $E = 10$ that is $n = 2429$. \
                 For $L = 8$, $d = 128$, $E = 50$ it is beyond $10⁴$.",
            ],
        ),
    )
    .remark("An exact kernel machine is fitted to at most 10000 images here."),
    Sentence::new(
        "8.1",
        "Clipping keeps the direction and bounds the norm, vital in deep products.",
        &[("recurrence", "clipping-vital", "log₁₀ of the loss without clipping over with it")],
        AsItStands,
    )
    .remark("Clipping keeps the direction and bounds the norm by construction; this is tested."),
    Sentence::new(
        "8.2",
        "A cosine with restarts explores, then refines.",
        &[
            ("schedule-early-stopping", "restart-up-down", "Restarts"),
            ("schedule-early-stopping", "restarts-early", "Loss early"),
        ],
        AsItStands,
    )
    .remark(
        "Measured are the losses after restarts and at the ends of cycles, not how far the weights explore.",
    ),
    Sentence::new(
        "8.3",
        "GL stops training before it overfits (figure 13).",
        &[
            ("schedule-early-stopping", "gl-stops", "Share of the epochs before GL stops"),
            ("schedule-early-stopping", "stopping-pays", "Share of the test loss that stopping removes"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "8.3",
        "On a quadratic early stopping equals L2 exactly, with $t ~ 1/λ$.",
        &[("schedule-early-stopping", "stopping-risk", "Error of descent over that of the ridge")],
        right(
            "It is exact if each direction has its own ridge. With one ridge for all, it holds to first \
             order.",
            &[
                "Descent from 0 reaches after $τ$ steps a share $1−(1−ηλ)^τ$ of the solution. A ridge $α$ \
                 reaches ${λ}/{λ+α}$.",
                "They agree if $(1−ηλ)^τ = {α}/{λ+α}$. That needs another $α$ for each curvature $λ$.",
                "If $τηλ$ and $λ/α$ are small, the left is $1−τηλ$ and the right $1−λ/α$: $τ ≈ {1}/{ηα}$ \
                 for all.",
            ],
        ),
    ),
    Sentence::new(
        "8.4",
        "At infinite width training is lazy: the weights hardly move.",
        &[
            ("ntk", "weights-move-less", "Movement of the weights, exponent of the width"),
            ("ntk", "lazy-distance", "Distance to the linear model, exponents"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "8.4",
        "The loss follows the tangent kernel: $dL/dt = −η·fᵀK(f−y)$.",
        &[("ntk", "linear-model", "Distance to the linear model, share of ‖y‖")],
        right(
            "$dL/dt = −η·(f−y)ᵀK(f−y)$, which is never positive. The document's form can be positive.",
            &[
                "$L = {1}/{2}‖f−y‖²$ has the gradient $Jᵀ(f−y)$ in the weights, with $J = ∂f/∂θ$.",
                "The flow $dθ/dt = −η·Jᵀ(f−y)$ moves the outputs by $df/dt = −η·JJᵀ(f−y) = −η·K(f−y)$.",
                "$dL/dt = (f−y)ᵀ·df/dt = −η·(f−y)ᵀK(f−y) ≤ 0$, because $K = JJᵀ$ has no negative eigenvalue.",
            ],
        ),
    ),
    Sentence::new(
        "8.4",
        "Kernel machines rival networks.",
        &[("models", "images-kernel-network", "Accuracy, kernel machine less network")],
        AsItStands,
    ),
    Sentence::new(
        "9",
        "Batch and layer normalisation belong in the same framework, against vanishing gradients.",
        &[
            ("gradient-flow", "batch-norm-cures", "Batch norm, log₁₀ of what is left of the gradient"),
            ("gradient-flow", "layer-norm-does-not", "Layer norm, log₁₀ of what is left"),
            ("gradient-flow", "sigmoid-learns", "Sigmoid networks, accuracy"),
        ],
        right(
            "Both are in this framework. In sigmoid networks batch normalisation keeps the gradients, layer \
             normalisation does not.",
            &[
                "A layer of sigmoids outputs ${1}/{2} + s$. The next one computes $W·{1}/{2}$, the same for \
                 all samples, plus $W·s$.",
                "Batch normalisation subtracts the part that all samples share, and divides by the standard \
                 deviation of $W·s$.",
                "Layer normalisation divides by the standard deviation over the units. Most of that comes \
                 from $W·{1}/{2}$, so $s$ stays small.",
            ],
        ),
    ),
    Sentence::new(
        "9",
        "Convolutional networks and transformers are trained in the same framework.",
        &[
            ("images", "lenet-beats-perceptron", "LeNet-5 less a perceptron, accuracy"),
            ("algorithms", "reverses", "Transformer, turning digits round"),
            ("algorithms", "sorts", "Transformer, sorting digits"),
        ],
        AsItStands,
    ),
    Sentence::new(
        "9",
        "Hessian-free methods and L-BFGS belong in the same framework.",
        &[
            ("second-order", "lbfgs-nesterov", "L-BFGS over Nesterov, log₁₀ of what is left"),
            ("second-order", "newton-nesterov", "Hessian-free over Nesterov, log₁₀"),
            ("second-order", "newton-order", "Order of convergence of Hessian-free steps"),
        ],
        AsItStands,
    )
    .remark(
        "Judged is whether both work on this tape, and come nearer to a minimum than the best method of first order for \
         convex losses, for the same work.",
    ),
];
