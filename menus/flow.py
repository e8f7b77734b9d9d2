"""The menu tree of the product: one file per dialogue, `home` first. Checked when this module loads."""

from menus.appeal import APPEAL
from menus.cover import COVER
from menus.enrol import JOIN
from menus.graph_checks import flow
from menus.home import HOME
from menus.more import MORE
from menus.pay import PAY
from menus.promise import PROMISE
from menus.refusals import REFUSALS
from menus.resume import RESUME, can_resume

FLOW = flow(
    "home",
    (HOME, RESUME, COVER, PAY, PROMISE, JOIN, MORE, APPEAL, REFUSALS),
    resume="resume",
    can_resume=can_resume,
)
