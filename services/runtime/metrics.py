"""Every metric of every process: one closed, typed list, and the only way to change one.

Names follow the Prometheus conventions: ``ipx_<process>_<what>_<unit>`` with ``_total`` for counters, base units. A
label has a bound; past it the value is ``other``, so that nobody can fill the memory by naming things. No label and no
value ever holds the content of an event. Nothing outside the list can be made: this is the one importer of
``prometheus_client``.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from services.runtime.clock_metrics import CLOCK_METRICS
from services.runtime.metric_kinds import (
    CHECK,
    CODE,
    COUNTS,
    FAMILY,
    OUTCOME,
    PART,
    PARTICIPANT,
    PARTITION,
    ROOM,
    ROUTE,
    SLOW_S,
    STATUS,
    STEP,
    TARGET,
    Counter,
    Gauge,
    Histogram,
    Label,
    Metric,
    Process,
)

EXPOSITION_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OTHER = "other"

HEALTH_PASSING = Gauge(
    "health", "passing_checks", "1 while the check of /readyz passes", "/readyz 的检查项通过时为 1", (CHECK,)
)
HEALTH_CLOCK_MOVED = Gauge(
    "health",
    "clock_moved_seconds",
    "by how much IPX_CLOCK_FILE moves the clock, 0 where it is the machine's",
    "IPX_CLOCK_FILE 使时钟偏移的秒数，未偏移为 0",
)

ADMISSION_RECEIVED = Counter(
    "admission", "received_events", "proposals read from the .in topics", "从 .in 主题读到的提案", (FAMILY,)
)
ADMISSION_ADMITTED = Counter("admission", "admitted_events", "events appended to a log", "写入日志的事件", (FAMILY,))
ADMISSION_REFUSED = Counter("admission", "refused_events", "events refused, by code", "被拒绝的事件（按代码）", (CODE,))
ADMISSION_CONFLICT = Counter(
    "admission", "conflict_events", "events with a known id and another statement", "标识已存在而声明不同的事件"
)
ADMISSION_DUPLICATE = Counter(
    "admission",
    "duplicate_events",
    "events that came again and were answered with the first outcome",
    "重复提交并以首次结果答复的事件",
)
ADMISSION_QUARANTINED = Counter(
    "admission", "quarantined_records", "records that could not be decoded at all", "完全无法解码的记录"
)
ADMISSION_FAILED_SIGNATURES = Counter(
    "admission",
    "failed_signatures",
    "wrong, expired, revoked or unknown keys and bad signatures, by the participant that was named",
    "错误、过期、吊销或未知密钥及错误签名（按所称参与方）",
    (PARTICIPANT,),
)
ADMISSION_BATCH = Histogram(
    "admission", "batch_events", "events in one transaction", "一个事务中的事件数", buckets=COUNTS
)
ADMISSION_STEP = Histogram(
    "admission", "step_seconds", "time of a numbered step for a batch", "一批事件某一步骤的耗时", (STEP,)
)
ADMISSION_TRANSACTION = Histogram(
    "admission",
    "transaction_seconds",
    "time of a Kafka transaction, from begin to commit",
    "Kafka 事务从开始到提交的耗时",
)
ADMISSION_RETRIES = Counter(
    "admission", "transaction_retries", "transactions that were aborted and done again", "中止后重做的事务"
)
ADMISSION_CAUGHT_UP = Counter(
    "admission",
    "caught_up_entries",
    "log entries read to rebuild the index before accepting anything",
    "受理之前为重建索引读取的日志条目",
    (FAMILY,),
)

GATEWAY_REQUESTS = Counter("gateway", "requests", "requests answered", "已答复的请求", (ROUTE, STATUS))
GATEWAY_SECONDS = Histogram("gateway", "request_seconds", "time to answer", "答复耗时", (ROUTE,), buckets=SLOW_S)
GATEWAY_BYTES = Counter("gateway", "received_bytes", "bytes of bodies received", "收到的正文字节数", (ROUTE,))
GATEWAY_RATE_LIMITED = Counter(
    "gateway",
    "rate_limited_requests",
    "requests refused because the participant asks too often",
    "因请求过频被拒绝的请求",
    (PARTICIPANT,),
)
GATEWAY_AUTH_FAILURES = Counter(
    "gateway",
    "failed_authentications",
    "requests whose token did not prove the participant it names",
    "令牌未能证明所称参与方的请求",
    (PARTICIPANT,),
)
GATEWAY_INBOX_POLLS = Gauge(
    "gateway", "waiting_polls", "inbox requests that wait for an event now", "正在等待事件的收件箱请求"
)
GATEWAY_PUBLISHED = Counter("gateway", "published_events", "events handed to admission", "转交准入的事件", (FAMILY,))
GATEWAY_PRODUCE_FAILURES = Counter(
    "gateway",
    "unproduced_events",
    "events that Kafka did not take in time; the caller was told",
    "Kafka 未能及时接收、已告知调用方的事件",
)
GATEWAY_QUARANTINED = Counter(
    "gateway",
    "quarantined_records",
    "records of a participant's outbox that were kept in the quarantine and that nobody was answered for, by the outbox's owner",
    "参与方发件主题中被隔离且未获答复的记录（按发件主题所有者）",
    (PARTICIPANT, CODE),
)

LEDGER_ENTRIES = Counter(
    "ledger", "taken_entries", "log entries taken into the tree", "已纳入哈希树的日志条目", (FAMILY,)
)
LEDGER_SIZE = Gauge(
    "ledger", "signed_entries", "size of the last signed checkpoint", "最近签名检查点的树大小", (FAMILY, PARTITION)
)
LEDGER_BEHIND = Gauge(
    "ledger",
    "behind_entries",
    "entries of the log that no checkpoint holds yet; while catching up transaction markers count too",
    "日志中尚无检查点涵盖的条目（追赶期间含事务标记）",
    (FAMILY, PARTITION),
)
LEDGER_CHECKPOINT_AGE = Gauge(
    "ledger",
    "checkpoint_age_seconds",
    "age of the last checkpoint while there is something new, else 0",
    "有新条目时最近检查点的时长，否则为 0",
    (FAMILY, PARTITION),
)
LEDGER_PROVABLE = Histogram(
    "ledger",
    "provable_seconds",
    "time from the append of an entry to the checkpoint that proves it",
    "从条目写入日志到可由检查点证明的耗时",
    buckets=SLOW_S,
)
LEDGER_UNWITNESSED_AGE = Gauge(
    "ledger",
    "unwitnessed_age_seconds",
    "age of the oldest entry that no witnessed checkpoint holds, 0 when all are witnessed",
    "最早未获见证条目的时长，全部获见证时为 0",
    (FAMILY, PARTITION),
)
LEDGER_COSIGNATURES = Counter(
    "ledger",
    "received_signatures",
    "cosignatures of witnesses, by what became of them",
    "收到的见证签名（按处理结果）",
    (OUTCOME,),
)
LEDGER_WITNESS_REQUESTS = Counter(
    "ledger",
    "witness_requests",
    "requests for a cosignature to witnesses of another make, by what came of them",
    "向其他实现的见证方请求联署的次数（按结果）",
    (OUTCOME,),
)

NODE_PULLED = Counter(
    "node", "pulled_records", "records read from the city's system", "从本地业务系统读取的记录", (TARGET,)
)
NODE_PUBLISHED = Counter(
    "node", "published_events", "events signed and published", "已签名并发布的事件", (PARTICIPANT,)
)
NODE_VERIFIED = Counter("node", "verified_events", "inbox copies verified", "已验证的收件箱副本", (PARTICIPANT,))
NODE_UNVERIFIED = Counter(
    "node",
    "unverified_events",
    "inbox copies that did not verify and were not handed on",
    "未通过验证、未转交的收件箱副本",
    (CODE,),
)
NODE_DISPUTED = Counter(
    "node",
    "disputed_events",
    "statements of completeness that the node disputed",
    "节点提出异议的投递完整性声明",
    (PARTICIPANT,),
)
NODE_COMPARED = Counter(
    "node",
    "compared_events",
    "what the exchange told of clocks, compared with the node's own computation: same, differs, unknown (of a case not held whole)",
    "交换告知的期限与节点自行计算的比对：一致、不一致、无法比对（案件材料不全）",
    (PARTICIPANT, OUTCOME),
)
NODE_DELIVERED = Counter("node", "delivered_events", "receipts `delivered` signed", "已签发的送达回执", (PARTICIPANT,))
NODE_COMMITTED = Counter("node", "committed_events", "receipts `committed` signed", "已签发的接收回执", (PARTICIPANT,))
NODE_REJECTED = Counter(
    "node", "rejected_events", "receipts `rejected` signed", "已签发的拒收回执", (PARTICIPANT, CODE)
)
NODE_NOT_COMMITTED = Counter(
    "node", "not_committed_events", "negative receipts signed at the time limit", "到期签发的否定回执", (PARTICIPANT,)
)
NODE_RETRIES = Counter("node", "retries", "calls to a target that were tried again", "对目标系统的重试", (TARGET,))
NODE_BREAKER = Gauge(
    "node", "open_breakers", "1 while the circuit breaker of the target is open", "目标系统熔断时为 1", (TARGET,)
)
NODE_DEAD_LETTERS = Counter("node", "dead_letters", "events set aside with a reason", "附原因搁置的事件", (TARGET,))
NODE_PUSH = Histogram(
    "node",
    "push_seconds",
    "time of one call to the city's system",
    "一次调用本地业务系统的耗时",
    (TARGET,),
    buckets=SLOW_S,
)
NODE_WITNESSED = Counter(
    "node",
    "witnessed_checkpoints",
    "checkpoints looked at as a witness, by what came of it",
    "作为见证方查看的检查点（按结果）",
    (CODE,),
)
NODE_COSIGNATURES = Counter(
    "node", "sent_cosignatures", "cosignatures that the exchange has taken", "交换中心已接受的联署", (PARTICIPANT,)
)
NODE_SPLIT_VIEWS = Gauge(
    "node",
    "open_split_views",
    "pairs of checkpoints that contradict one another and that nobody has cleared",
    "尚未处理的相互矛盾的检查点对数",
)
NODE_UNFOLLOWED = Gauge(
    "node",
    "unfollowed_logs",
    "logs whose checkpoint the witness could not follow when it last looked",
    "最近一次查看时见证方未能跟进检查点的日志数",
)

ROOM_FOLDED = Counter("room", "folded_entries", "log entries folded", "已折叠的日志条目", (ROOM, FAMILY))
ROOM_SKIPPED = Counter(
    "room", "skipped_entries", "entries that came again and had no effect", "重复到达、未产生作用的条目", (ROOM,)
)
ROOM_GAPS = Counter(
    "room", "seq_gaps", "places where the next entry was not the one expected", "序号不连续之处", (ROOM,)
)
ROOM_EMITTED = Counter("room", "emitted_events", "derived events stored to be proposed", "待提案的派生事件", (ROOM,))
ROOM_TICKS = Counter("room", "ticked_states", "states whose due time came", "到期的状态", (ROOM,))
ROOM_BATCH = Histogram(
    "room", "batch_entries", "entries in one transaction", "一个事务中的条目数", (ROOM,), buckets=COUNTS
)
ROOM_SECONDS = Histogram(
    "room", "batch_seconds", "time of a batch, decode to commit", "一批从解码到提交的耗时", (ROOM,)
)
ROOM_POSITION = Gauge(
    "room",
    "position_entries",
    "entries of the log partition folded so far",
    "该日志分区已折叠的条目数",
    (ROOM, FAMILY, PARTITION),
)
ROOM_BEHIND = Gauge(
    "room", "behind_seconds", "age of the last entry folded when it was folded", "最近折叠的条目在折叠时的时延", (ROOM,)
)
ROOM_RETRIES = Counter(
    "room", "batch_retries", "batches tried again because a part was away", "因依赖中断而重试的批次", (ROOM,)
)

RELAY_PUBLISHED = Counter(
    "relay", "published_events", "derived events proposed to admission", "已提案的派生事件", (ROOM,)
)
RELAY_PENDING = Gauge(
    "relay", "pending_events", "derived events that wait in the outbox", "发件箱中等待的派生事件", (ROOM,)
)
RELAY_SECONDS = Histogram(
    "relay", "publish_seconds", "time to publish and mark a batch", "一批发布并标记的耗时", (ROOM,)
)
RELAY_AGE = Gauge(
    "relay", "oldest_pending_seconds", "age of the oldest event in the outbox", "发件箱中最早事件的时长", (ROOM,)
)
RELAY_FAILURES = Counter(
    "relay", "failures", "batches that were not published and are tried again", "未能发布、将重试的批次", (ROOM,)
)

PLATFORM_RESTARTS = Counter("platform", "restarts", "times a part was started again", "部件重新启动的次数", (PART,))
PLATFORM_RUNNING = Gauge("platform", "running_parts", "1 while the part runs", "部件运行时为 1", (PART,))

METRICS: tuple[Metric, ...] = (
    *(metric for metric in tuple(globals().values()) if isinstance(metric, Counter | Gauge | Histogram)),
    *CLOCK_METRICS,
)


def metrics_table() -> str:
    """The list as a table in both languages, what ``deploy/watch/METRICS.md`` holds."""
    lines = ["| metric 指标 | kind | labels | what it counts | 含义 |", "|---|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label.name}`" for label in metric.labels) or "-"
        lines.append(f"| `{metric.name}` | {type(metric).__name__.lower()} | {labels} | {metric.en} | {metric.zh} |")
    return "\n".join(lines) + "\n"


class Metrics:
    """The live metrics of one process. Safe between threads; a change costs a microsecond or two.

    Asking for a metric that is not in the list, or is another process's, or with other labels than the list says, is a
    bug and raises.
    """

    def __init__(self, process: Process) -> None:
        self._registry = CollectorRegistry()
        self._lock = Lock()
        self._seen: dict[Label, set[str]] = {}
        self._made: dict[str, Any] = {m.name: self._make(m) for m in METRICS if m.process in ("health", process)}
        self._children: dict[tuple[str, tuple[str, ...]], Any] = {}
        prometheus_client.ProcessCollector(registry=self._registry)

    def add(self, metric: Counter, amount: float = 1, **labels: str) -> None:
        """Adds to a counter."""
        self._child(metric, labels).inc(amount)

    def set(self, metric: Gauge, value: float, **labels: str) -> None:
        """Sets a gauge."""
        self._child(metric, labels).set(value)

    def shift(self, metric: Gauge, by: float, **labels: str) -> None:
        """Moves a gauge up or down."""
        self._child(metric, labels).inc(by)

    def observe(self, metric: Histogram, value: float, **labels: str) -> None:
        """Counts one observation in a histogram."""
        self._child(metric, labels).observe(value)

    def value(self, metric: Metric, **labels: str) -> float:
        """What is told of the metric now (of a histogram, its count); 0 where nothing was said."""
        suffix = "_count" if isinstance(metric, Histogram) else ""
        return self._registry.get_sample_value(metric.name + suffix, labels) or 0.0

    def exposition(self) -> bytes:
        """The Prometheus text form of all of them."""
        return prometheus_client.generate_latest(self._registry)

    def _make(self, metric: Metric) -> Any:
        names = [label.name for label in metric.labels]
        text = f"{metric.en} · {metric.zh}"
        match metric:
            case Counter():
                return prometheus_client.Counter(metric.name, text, names, registry=self._registry)
            case Gauge():
                return prometheus_client.Gauge(metric.name, text, names, registry=self._registry)
            case Histogram():
                return prometheus_client.Histogram(
                    metric.name, text, names, registry=self._registry, buckets=metric.buckets
                )

    def _child(self, metric: Metric, labels: dict[str, str]) -> Any:
        if not metric.labels and not labels:
            return self._made[metric.name]
        values = tuple(labels[label.name] for label in metric.labels)
        child = self._children.get((metric.name, values))
        if child is None:
            if len(labels) != len(values):
                raise KeyError(f"{metric.name} has the labels {[label.name for label in metric.labels]}, got {labels}")
            told = [self._bounded(label, value) for label, value in zip(metric.labels, values, strict=True)]
            child = self._made[metric.name].labels(*told)
            if told == list(values):  # only what is bounded is remembered
                self._children[metric.name, values] = child
        return child

    def _bounded(self, label: Label, value: str) -> str:
        with self._lock:
            seen = self._seen.setdefault(label, set())
            if value in seen:
                return value
            if len(seen) >= label.limit:
                return OTHER
            seen.add(value)
            return value


prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
