"""Reports: self-contained HTML files for people to read."""

from mien.evaluation.report.all_pairs import all_pairs_report
from mien.evaluation.report.frame import Facts, write_report
from mien.evaluation.report.identification import people_report
from mien.evaluation.report.lfw import lfw_report

__all__ = ["Facts", "all_pairs_report", "lfw_report", "people_report", "write_report"]
