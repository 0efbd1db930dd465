"""Names what authors of other plugins import: the protocols of engines, checks and reporters, and the records.

Importing it imports numpy, so a plugin should import it where it is first used or in modules that pytest loads late.
"""

from __future__ import annotations

from pytest_paddle_mt.cause import Cause as Cause
from pytest_paddle_mt.checks import Check as Check
from pytest_paddle_mt.checks import Evidence as Evidence
from pytest_paddle_mt.checks import OtherSide as OtherSide
from pytest_paddle_mt.engines import Engine as Engine
from pytest_paddle_mt.engines import EngineSession as EngineSession
from pytest_paddle_mt.engines import Workload as Workload
from pytest_paddle_mt.engines.synthetic import SyntheticSession as SyntheticSession
from pytest_paddle_mt.machine.noise import NoiseSensor as NoiseSensor
from pytest_paddle_mt.records import Against as Against
from pytest_paddle_mt.records import Cpu as Cpu
from pytest_paddle_mt.records import Interval as Interval
from pytest_paddle_mt.records import Latencies as Latencies
from pytest_paddle_mt.records import LatencySummary as LatencySummary
from pytest_paddle_mt.records import Limits as Limits
from pytest_paddle_mt.records import Measured as Measured
from pytest_paddle_mt.records import Noise as Noise
from pytest_paddle_mt.records import Point as Point
from pytest_paddle_mt.records import Ratio as Ratio
from pytest_paddle_mt.records import Round as Round
from pytest_paddle_mt.records import Subject as Subject
from pytest_paddle_mt.records import Sweep as Sweep
from pytest_paddle_mt.records import ThreadWindow as ThreadWindow
from pytest_paddle_mt.records import UniversalScalability as UniversalScalability
from pytest_paddle_mt.records import Verdict as Verdict
from pytest_paddle_mt.records import Visit as Visit
from pytest_paddle_mt.records import Warning as Warning
from pytest_paddle_mt.records import Window as Window
from pytest_paddle_mt.records import WindowPlan as WindowPlan
from pytest_paddle_mt.reporters import Finished as Finished
from pytest_paddle_mt.reporters import Reporter as Reporter
