from . import errors as errors
from .batches import make_dataset as make_dataset
from .calibration import Calibration as Calibration
from .calibration import calibrate as calibrate
from .callbacks.lr_finder import LRFinder as LRFinder
from .callbacks.one_cycle import OneCycle as OneCycle
from .callbacks.range_test import find_lr as find_lr
from .callbacks.sgdr import SGDR as SGDR
from .callbacks.triangular import Triangular as Triangular
from .callbacks.triangular_on_plateau import (
    TriangularOnPlateau as TriangularOnPlateau,
)
from .callbacks.warmup_decay import WarmupDecay as WarmupDecay
from .classifier import SentimentClassifier as SentimentClassifier
from .client import AsyncClient as AsyncClient
from .client import Client as Client
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .contract import Explanation as Explanation
from .contract import Prediction as Prediction
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .html_report import write_report as write_report
from .lr_curve import LRCurve as LRCurve
from .optimizers import LayerDecayAdamW as LayerDecayAdamW
from .prediction import explain as explain
from .prediction import predict as predict
from .presets import list_presets as list_presets
from .reviews import Reviews as Reviews
from .reviews import load_reviews as load_reviews
from .saved_model.exporting import export as export
from .scoring.local import score_file as score_file
from .scoring.ray_engine import score_dataset as score_dataset
from .server import serve as serve
from .training import train as train
