"""A Windows job object, which ends a whole tree of processes at once.

https://learn.microsoft.com/windows/win32/procthread/job-objects
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # JobObjectBasicAccountingInformation of JOBOBJECTINFOCLASS.
    _ACCOUNTING = 1

    class _Accounting(ctypes.Structure):
        _fields_ = (
            ("TotalUserTime", ctypes.c_int64),
            ("TotalKernelTime", ctypes.c_int64),
            ("ThisPeriodTotalUserTime", ctypes.c_int64),
            ("ThisPeriodTotalKernelTime", ctypes.c_int64),
            ("TotalPageFaultCount", wintypes.DWORD),
            ("TotalProcesses", wintypes.DWORD),
            ("ActiveProcesses", wintypes.DWORD),
            ("TotalTerminatedProcesses", wintypes.DWORD),
        )

    class JobObject:
        """The command and all that it starts. Without a job, `taskkill` ends the tree it can still see."""

        def __init__(self, process: subprocess.Popen[bytes]) -> None:
            self._process = process
            self._kernel = ctypes.WinDLL("kernel32", use_last_error=True)
            self._kernel.CreateJobObjectW.restype = wintypes.HANDLE
            self._job: int | None = self._kernel.CreateJobObjectW(None, None)
            handle = wintypes.HANDLE(int(process._handle))  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
            if self._job and not self._kernel.AssignProcessToJobObject(wintypes.HANDLE(self._job), handle):
                self._close()

        def press_ctrl_c(self) -> None:
            """Send Ctrl+Break: Ctrl+C cannot be sent to a group."""
            self.interrupt()

        def interrupt(self) -> None:
            """Send Ctrl+Break, which the leader of a new group and its console programs receive."""
            with contextlib.suppress(OSError):
                self._process.send_signal(signal.CTRL_BREAK_EVENT)

        def kill(self) -> None:
            """End every process of the job."""
            if self._job:
                self._kernel.TerminateJobObject(wintypes.HANDLE(self._job), 1)
                return
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(self._process.pid)],  # noqa: S607
                capture_output=True,
                check=False,
            )

        def is_alive(self) -> bool:
            """Say whether any process of the job runs."""
            if not self._job:
                return self._process.poll() is None
            facts = _Accounting()
            self._kernel.QueryInformationJobObject(
                wintypes.HANDLE(self._job), _ACCOUNTING, ctypes.byref(facts), ctypes.sizeof(facts), None
            )
            return facts.ActiveProcesses > 0

        def leader_was_reaped(self) -> None:
            """Do nothing: the job's handle stays valid."""

        def __del__(self) -> None:
            self._close()

        def _close(self) -> None:
            if self._job:
                self._kernel.CloseHandle(wintypes.HANDLE(self._job))
                self._job = None
