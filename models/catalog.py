"""The names and typed options of every kind that a campaign may choose. Names are stored: public, never reused."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoiseModel(_Choice):
    """How readings scatter about the property: `docs/science.md`, the surrogate."""

    heteroscedastic: StrictBool = True
    """Let the noise vary with composition, process and position, where the readings show that it does."""
    drift: StrictBool = True
    """Model the drift of the instrument, where a calibration sample was read at two times or more."""
    outliers: Literal["none", "contaminated_normal"] = "contaminated_normal"
    """Hold single readings for wild where all others speak against them (`models/surrogates/outliers.py`), and name
    them. On a rough landscape a few sound readings are held too, without a loss that could be measured."""
    stated: StrictBool = True
    """Heed the uncertainty that comes with a reading, or the scatter of those that it is the mean of. Else all noise is
    inferred."""
    one_sided: StrictBool = True
    """Learn from readings beyond an instrument's limit that they lie there. Else they are left out."""
    dead_devices: StrictBool = True
    """Learn from dead devices where devices die. Else every device is expected to live."""
    composition_sd: StrictFloat = Field(default=0.0, ge=0.0, le=0.2)
    """Standard deviation of a measured atomic fraction. Where the property is steep, it makes readings less sure."""


class FilmGP(_Choice):
    """Gaussian process with film effect and inferred or known noise: `models/surrogates/film_gp.py`."""

    name: Literal["film_gp"] = "film_gp"
    film_effect: StrictBool = True
    """Model an offset shared by all devices of a film. Real films have one; if none has, intervals are a bit wide."""
    noise: NoiseModel = NoiseModel()
    """How readings scatter about the property."""
    averaging: StrictInt = Field(default=8, ge=1, le=64)
    """Sets of hyperparameters over which predictions and decisions average while there are few readings; 1 for none."""


class ProcessCost(_Choice):
    """What one process variable costs."""

    variable: str = Field(min_length=1)
    """Name of the process variable."""
    change: StrictFloat = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Cost of any value but that of the film before."""
    per_unit_changed: StrictFloat = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Cost for each unit by which a continuous variable differs from the film before."""
    per_unit: StrictFloat = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Cost for each unit of a continuous variable above its least value: a hotter anneal takes longer."""
    choices: dict[str, float] = Field(default_factory=dict)
    """Cost of each choice of a categorical variable; 0 for those left out."""


class CostModel(_Choice):
    """What a film costs, so that a policy gains the most for it: `models/policies/cost.py`."""

    unit: str = Field(default="h", min_length=1, max_length=20)
    """Unit of every cost: hours, money."""
    film: StrictFloat = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    """Cost of any film: pump-down, deposition, measurement."""
    target: StrictFloat = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Cost of each element that joins or leaves, against the film before: a target is changed."""
    process: tuple[ProcessCost, ...] = ()
    """Costs of process variables; those left out cost nothing."""
    weight: StrictFloat = Field(default=1.0, ge=0.0, le=10.0)
    """How much cost counts: 1 seeks the most gain per cost, 0 the most gain."""


class _Policy(_Choice):
    """What a policy can serve; a problem that asks for more is refused when it is built."""

    objectives: ClassVar[tuple[int, int]] = (1, 4)
    """Fewest and most objectives."""
    heeds_outcomes: ClassVar[bool] = True
    """Whether films that break the limits of an outcome are worth less to it."""
    seeks_targets: ClassVar[bool] = True
    """Whether it serves objectives that are to match a target, and not only those to be large or small."""


class FilmSearch(_Policy):
    """Options that every policy shares which searches all films: `models/policies/film_optimizer.py`."""

    objectives: ClassVar[tuple[int, int]] = (1, 1)
    heeds_outcomes: ClassVar[bool] = False
    seeks_targets: ClassVar[bool] = False

    restarts: StrictInt = Field(default=6, ge=1, le=64)
    """Films that are refined with gradients, after many were scored."""
    raw_films: StrictInt = Field(default=1024, ge=8, le=65536)
    """Starting films that are scored before the refinement."""
    cost: CostModel | None = None
    """Weighs what a film gains against what it costs; every film costs the same if not given."""
    starts: Literal["auto", "systematic", "merged", "generated"] = "auto"
    """Where the search begins: `systematic` draws films and lays them by rule, `generated` lays them through drawn
    compositions: even ones, some near the best, and those of the campaign's generator for values beyond it; `merged`
    does both. `auto` is `systematic`: no benchmark has shown yet that the others find better films."""


class ExpectedImprovement(FilmSearch):
    """Joint noisy expected improvement over a film's devices: `models/policies/expected_improvement.py`."""

    heeds_outcomes: ClassVar[bool] = True
    seeks_targets: ClassVar[bool] = True
    name: Literal["expected_improvement"] = "expected_improvement"
    mc_samples: StrictInt = Field(default=128, ge=16, le=4096)
    """Quasi-Monte-Carlo samples of the joint posterior."""


class UpperConfidenceBound(FilmSearch):
    """Expected best device of a film if all are as good as they may be: `models/policies/upper_confidence_bound.py`."""

    name: Literal["upper_confidence_bound"] = "upper_confidence_bound"
    beta: StrictFloat = Field(default=2.0, ge=0.0, le=100.0)
    """Square of how many standard deviations count: 0 trusts the mean, larger explores more."""
    mc_samples: StrictInt = Field(default=128, ge=16, le=4096)
    """Quasi-Monte-Carlo samples of the joint posterior."""


class ThompsonSampling(FilmSearch):
    """The film with the best device in one draw of the property: `models/policies/thompson_sampling.py`."""

    seeks_targets: ClassVar[bool] = True
    name: Literal["thompson_sampling"] = "thompson_sampling"
    pool: StrictInt = Field(default=256, ge=16, le=2048)
    """Points at which the draw is made in advance: those with the best chances."""


class KnowledgeGradient(FilmSearch):
    """Expected rise of the best posterior mean by a film's readings: `models/policies/knowledge_gradient.py`."""

    name: Literal["knowledge_gradient"] = "knowledge_gradient"
    pool: StrictInt = Field(default=1024, ge=64, le=16384)
    """Feasible points among which the best posterior mean is sought."""
    mc_samples: StrictInt = Field(default=64, ge=16, le=4096)
    """Quasi-Monte-Carlo samples of what the film may read."""


class Mapping(FilmSearch):
    """The film that makes the whole region best known: `models/policies/mapping.py`."""

    seeks_targets: ClassVar[bool] = True
    name: Literal["mapping"] = "mapping"
    pool: StrictInt = Field(default=512, ge=64, le=8192)
    """Feasible points that stand for the region."""


class MeanExpectedImprovement(FilmSearch):
    """Expected improvement of single devices, averaged over a film: `models/policies/mean_expected_improvement.py`."""

    name: Literal["mean_expected_improvement"] = "mean_expected_improvement"
    rule: Literal["all_films", "two_step"] = "all_films"
    """`all_films`: of all films. `two_step`: the best single point first, then the best pair film through it."""


class HypervolumeImprovement(FilmSearch):
    """Joint noisy hypervolume improvement, 2 to 4 objectives: `models/policies/hypervolume_improvement.py`."""

    objectives: ClassVar[tuple[int, int]] = (2, 4)
    heeds_outcomes: ClassVar[bool] = True
    seeks_targets: ClassVar[bool] = True
    name: Literal["hypervolume_improvement"] = "hypervolume_improvement"
    mc_samples: StrictInt = Field(default=128, ge=16, le=4096)
    """Quasi-Monte-Carlo samples of the joint posterior."""


class InverseDesign(_Policy):
    """Generate, predict, make the best few, learn, begin again: `models/policies/inverse_design.py`."""

    name: Literal["inverse_design"] = "inverse_design"
    draws: StrictInt = Field(default=256, ge=16, le=8192)
    """Compositions that are generated for one film."""
    top: StrictInt = Field(default=8, ge=1, le=256)
    """Best of them through which films are laid."""
    mc_samples: StrictInt = Field(default=128, ge=16, le=4096)
    """Quasi-Monte-Carlo samples of the joint posterior."""


class SpaceFilling(_Policy):
    """Films where none are yet, by seed; no model: `models/policies/space_filling.py`."""

    name: Literal["space_filling"] = "space_filling"
    raw_films: StrictInt = Field(default=512, ge=8, le=65536)
    """Random feasible films; the one is taken that brings the region nearest to what is made or in flight."""


class RandomFilms(_Policy):
    """Feasible films drawn by seed alone, the baseline of every benchmark: `models/policies/random_films.py`."""

    name: Literal["random"] = "random"


SurrogateChoice = FilmGP


class ConditionalVAE(_Choice):
    """Draws compositions like those known, for wanted properties: `models/generators/conditional_vae.py`."""

    name: Literal["conditional_vae"] = "conditional_vae"
    latent: StrictInt = Field(default=16, ge=1, le=64)
    """Dimensions of the code."""
    width: StrictInt = Field(default=128, ge=8, le=512)
    """Width of the hidden layers."""
    dropout: StrictFloat = Field(default=0.2, ge=0.0, le=0.9)
    """Share of the hidden units that are left out in a step of training."""
    steps: StrictInt = Field(default=2000, ge=1, le=100_000)
    """Most steps of training."""
    batch: StrictInt = Field(default=128, ge=4, le=4096)
    """Examples in one step."""
    learning_rate: StrictFloat = Field(default=3e-3, gt=0.0, le=0.1)
    """Largest learning rate; it falls to nearly 0."""
    beta: StrictFloat = Field(default=0.1, ge=0.0, le=10.0)
    """Weight of the divergence from N(0, I). Small ones reproduce well; codes are drawn from a mixture fitted later."""
    free_bits: StrictFloat = Field(default=0.25, ge=0.0, le=5.0)
    """Nats of divergence in each dimension that cost nothing: what keeps dimensions in use."""
    cycles: StrictInt = Field(default=4, ge=0, le=50)
    """Times that the weight of the divergence rises from 0; 0 for the same weight throughout."""
    hide: StrictFloat = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the examples whose conditions are hidden in a step, so that draws without a target are learned too."""
    held_out: StrictFloat = Field(default=0.15, ge=0.0, le=0.5)
    """Share of the examples, by whole films, that training stops by."""
    patience: StrictInt = Field(default=12, ge=1, le=10_000)
    """Looks at the held-out examples without a gain, one every 50 steps, after which training stops."""
    components: StrictInt = Field(default=10, ge=1, le=100)
    """Gaussians that stand for the codes of the examples; fewer while there are fewer than ten examples for each."""
    pool: StrictInt = Field(default=64, ge=1, le=512)
    """Draws that are made and weighed for each one that is kept, where a target is set; 1 for no weighing."""
    sharpness: StrictFloat = Field(default=8.0, gt=0.0, le=100.0)
    """Power of the likelihood by which draws are weighed: 1 is Bayes' rule, more keeps closer to the target."""
    novel_share: StrictFloat = Field(default=0.3, ge=0.0, le=1.0)
    """Least share of the draws for a target that are novel: without it, the surest draws are those next to examples."""
    novel_beyond: StrictFloat = Field(default=0.2, ge=0.0, le=2.0)
    """A draw is novel if it differs by more from every example, in the sum of absolute differences of fractions."""
    rank_weighting: StrictFloat | None = Field(default=None, gt=0.0, le=1e3)
    """Weigh examples by the rank of their first objective; the smaller, the more the best count. Not at all if None."""
    seconds: StrictFloat = Field(default=120.0, gt=0.0, le=86_400.0)
    """Training ends after so long, however far it is."""
    known: tuple[dict[str, Fraction], ...] = Field(default=(), max_length=5000)
    """Compositions that others have made, whatever came of them: atomic fractions by element, those left out are 0. The
    generator learns from them beside the campaign's own."""


class NeighbourJitter(_Choice):
    """Known compositions that come near the target, a little changed: `models/generators/neighbour_jitter.py`."""

    name: Literal["neighbour_jitter"] = "neighbour_jitter"
    neighbours: StrictInt = Field(default=10, ge=1, le=1000)
    """Known compositions nearest to the target, or best where there is none."""
    scale: StrictFloat = Field(default=0.1, gt=0.0, le=2.0)
    """Standard deviation of the logarithm by which each fraction changes."""
    exchanged: StrictFloat = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the draws in which one element gives its place to another one that some known composition has."""


class UniformSimplex(_Choice):
    """Feasible compositions, evenly, whatever is known: `models/generators/uniform_simplex.py`."""

    name: Literal["uniform_simplex"] = "uniform_simplex"


GeneratorChoice = Annotated[ConditionalVAE | NeighbourJitter | UniformSimplex, Field(discriminator="name")]


class Auto(FilmSearch):
    """Takes the policy that suits the campaign and says why: `models/policies/auto.py`."""

    objectives: ClassVar[tuple[int, int]] = (1, 4)
    heeds_outcomes: ClassVar[bool] = True
    seeks_targets: ClassVar[bool] = True
    name: Literal["auto"] = "auto"


PolicyChoice = Annotated[
    Auto
    | ExpectedImprovement
    | UpperConfidenceBound
    | ThompsonSampling
    | KnowledgeGradient
    | Mapping
    | MeanExpectedImprovement
    | HypervolumeImprovement
    | InverseDesign
    | SpaceFilling
    | RandomFilms,
    Field(discriminator="name"),
]


def policies_for(objectives: int, *, targets: bool = False, outcomes: bool = False) -> tuple[str, ...]:
    """Names of the policies that serve so many objectives, in the order of the catalogue.

    Args:
        objectives: How many.
        targets: Whether one of them is to match a target.
        outcomes: Whether other properties are limited.
    """
    kinds = get_args(get_args(PolicyChoice)[0])
    serving = [
        kind
        for kind in kinds
        if kind.objectives[0] <= objectives <= kind.objectives[1]
        and (kind.seeks_targets or not targets)
        and (kind.heeds_outcomes or not outcomes)
    ]
    return tuple(kind.model_fields["name"].default for kind in serving)
