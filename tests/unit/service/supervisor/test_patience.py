import io
import threading

from service.supervisor import patience


class Terminal(io.StringIO):
    def __init__(self, *, looked_at=True):
        super().__init__()
        self.looked_at = looked_at
        self.told = threading.Event()

    def isatty(self):
        return self.looked_at

    def write(self, text):
        self.told.set()
        return super().write(text)


def test_a_terminal_sees_that_it_goes_on_and_is_cleared(monkeypatch, tmp_path):
    monkeypatch.setattr(patience, "_FIRST_S", 0.001)
    (tmp_path / "file").write_bytes(bytes(3 * 2**20))
    terminal = Terminal()
    with patience.shown("writing", tmp_path / "file", terminal):
        assert terminal.told.wait(30)
    assert terminal.getvalue().startswith("\rwriting … 0 s, 3.0 MiB")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_nobody_else_is_told_anything(monkeypatch):
    monkeypatch.setattr(patience, "_FIRST_S", 0.0)
    terminal = Terminal(looked_at=False)
    with patience.shown("writing", terminal=terminal):
        pass
    assert terminal.getvalue() == ""
