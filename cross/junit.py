# SPDX-License-Identifier: GPL-2.0-only
"""Results as JUnit XML, which CI systems show."""

import re
from xml.etree import ElementTree

import host

# What XML cannot have, not even escaped.
STRANGE = re.compile('[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd]')


class Results:
    """The cases of a run, suite by suite."""

    def __init__(self):
        self.root = ElementTree.Element('testsuites')

    def suite(self, name):
        """Begin a suite: what add() is told belongs to it."""
        self.current = ElementTree.SubElement(self.root, 'testsuite', name=name, tests='0', failures='0', skipped='0')

    def add(self, name, status, text):
        """A case of the suite, which has passed, failed, or been skipped; the text says why."""
        case = ElementTree.SubElement(self.current, 'testcase', name=STRANGE.sub('?', name),
                                      classname=self.current.get('name'))
        text = STRANGE.sub('?', text)
        self._count('tests')
        if status == 'failed':
            self._count('failures')
            failure = ElementTree.SubElement(case, 'failure', message=(text.splitlines() or ['failed'])[0])
            failure.text = text
        elif status == 'skipped':
            self._count('skipped')
            ElementTree.SubElement(case, 'skipped', message=(text.splitlines() or [''])[0])

    def _count(self, what):
        self.current.set(what, str(int(self.current.get(what)) + 1))

    def write(self, path):
        """Write them to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ElementTree.indent(self.root)
        host.write_whole(path, ElementTree.tostring(self.root, encoding='utf-8', xml_declaration=True) + b'\n')
