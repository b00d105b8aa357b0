"""Parts that several pages show: a background job, the button for the next round, and what is missing."""

from __future__ import annotations

import state
import streamlit as st
from instead import instead

from annotate_select import strategies
from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.steps.jobs import Job
from annotate_select.steps.status import Status

__all__ = ["job_panel", "need_annotator", "need_project", "next_batch", "start_job"]

BATCH = 50  # as many as a person labels in some minutes
NOT_HERE = {"samples", "like"}  # what some strategies need and this page has no way to ask for
WHAT = {
    "prepare": "Preparing the project: learning what the images look like, drawing the exam, choosing the first batch",
    "next": "Training, and choosing the next batch",
    "train": "Training",
    "embed": "Computing features",
    "map": "Laying out the map",
}


def need_project() -> Project:
    """Return the project, or send the visitor to the page that opens one."""
    project = state.project()
    if project is None:
        st.info("No project is open yet.")
        st.page_link("app_pages/start.py", label="Open or make a project", icon=":material/folder_open:")
        state.end_page()
    return project


def need_annotator(question: str, start: str) -> str:
    """Return who is at the screen, or ask for a name first."""
    if not state.annotator():
        st.subheader(question)
        with st.form("who", border=False, width=420):
            st.text_input(
                "Your name",
                value=state.name_offered(),
                key="name_typed",
                help="Stored with every label. Two people who label together use two names.",
            )
            st.form_submit_button(start, type="primary", on_click=_take_name)
        state.end_page()
    return state.annotator()


def _take_name() -> None:
    try:
        state.set_annotator(st.session_state["name_typed"])
    except ValueError as error:
        state.say("error", str(error))


def start_job(project: Project, *command: str) -> None:
    """Start a command in the background; the error of one that cannot start is said."""
    try:
        project.start(*command)
    except AnnotateSelectError as error:
        state.say("error", str(error))
    st.session_state["watched"] = True


def job_panel(project: Project, *, every: float = 1.0) -> Job | None:
    """Show the newest job while it runs, and its error if it failed; return it."""
    job = project.job()
    if job is None:
        return None
    if job.state == "running":
        st.fragment(_running, run_every=every)(project, job.id)
    elif job.state == "failed":
        st.error(f"{_what(job).partition(':')[0].partition(',')[0]} stopped: {instead(job.message or '')}")
    elif st.session_state.pop("watched", False) and job.message:
        st.success(instead(job.message))
    return job


def _running(project: Project, job_id: str) -> None:
    """Draw the progress; when the job is over, run the whole page again."""
    job = project.job()
    if job is None or job.id != job_id or job.state != "running":
        st.rerun(scope="app")
    st.write(f"**{_what(job)}**")
    st.progress(min(1.0, job.done / job.total) if job.total else 0.0, text=_pace(job))


def _what(job: Job) -> str:
    return WHAT.get(job.command[0], " ".join(job.command))


def _pace(job: Job) -> str:
    """Say the stage, how far it is, how fast, and how long it will take."""
    parts = [job.stage]
    if job.total > 1:
        parts.append(f"{job.done:,} of {job.total:,}")
    if job.rate:
        parts.append(f"{job.rate:,.1f} a second")
    if job.seconds_left is not None:
        parts.append(_duration(job.seconds_left))
    if job.note:
        parts.append(job.note)
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    return f"{round(seconds / 60)} min left"


def next_batch(project: Project, *, settings: bool) -> None:
    """Show the button that trains and picks the next batch; with `settings`, how many and by which strategy."""
    status = project.status()
    left = status.left
    if left == 0:
        st.caption("Every image has been picked or labelled: add more, or train on what there is.")
        _button(project, status, "Train", ["train"])
        return
    n, strategy = min(BATCH, left), None
    if settings:
        columns = st.columns(2)
        n = columns[0].number_input("Images in the batch", 1, left, n, key="batch_n")
        infos = {info.name: info for info in strategies() if not NOT_HERE & set(info.needs)}
        names = sorted(infos, key=lambda name: name != "auto")
        strategy = columns[1].selectbox("Strategy", names, key="batch_strategy")
        st.caption(infos[strategy].summary)
    named = ["--strategy", strategy] if strategy else []
    # Asked for all, it takes what is left: some of these may prove too near to the exam.
    size = [] if n == left <= project.config.select.n else ["-n", str(n)]
    _button(project, status, "Train and pick the next batch", ["next", *size, *named])


def _button(project: Project, status: Status, text: str, command: list[str]) -> None:
    too_early = sum(1 for n in status.per_class.values() if n) < 2
    job = project.job()
    st.button(
        text,
        type="primary",
        key="next_batch",
        disabled=too_early or (job is not None and job.state == "running"),
        help="Label images of at least two classes first." if too_early else None,
        on_click=start_job,
        args=(project, *command),
    )
