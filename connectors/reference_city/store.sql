create table if not exists xs (            -- 收到的线索 clues received
  slbh  text primary key,                  -- 受理编号 our number
  mdj   text not null unique,              -- 幂等键 idempotency key
  tdxh  text not null,                     -- 投递序号 delivery number
  sdsj  text not null,                     -- 收到时间 received
  zt    text not null,                     -- 状态 state: DSL SL TH HC LA BL
  ah    text,                              -- 案号 case number
  nr    text not null,                     -- 内容 document as received
  cs    integer not null default 1         -- 次数 how often it was sent
);
create table if not exists fk (            -- 收到的反馈 answers received about clues of our own
  fkbh  text primary key,
  mdj   text not null unique,
  tdxh  text not null,
  sdsj  text not null,
  nr    text not null,
  cs    integer not null default 1
);
create table if not exists aj (            -- 收到的移送案件 cases received
  slbh  text primary key,
  mdj   text not null unique,
  tdxh  text not null,
  sdsj  text not null,
  zt    text not null,                     -- 状态 DSL, then the last move made here
  ah    text,
  nr    text not null,
  cs    integer not null default 1
);
create table if not exists cz (            -- 收到的案件操作 moves of others on cases
  czbh  text primary key,
  mdj   text not null unique,
  tdxh  text not null,
  sdsj  text not null,
  nr    text not null,
  cs    integer not null default 1
);
create table if not exists qx (            -- 收到的期限提醒 what the exchange tells of terms
  qxbh  text primary key,
  mdj   text not null unique,
  tdxh  text not null,
  sdsj  text not null,
  nr    text not null,
  cs    integer not null default 1
);
create table if not exists sj (            -- 发生的事项 happenings, what a pull reads
  lsh   integer primary key autoincrement, -- 流水号
  nr    text not null
);
create table if not exists bl (            -- 待办 what the officer does next
  id    integer primary key autoincrement,
  slbh  text not null,
  bz    text not null,                     -- 步骤 step
  dqms  integer not null                   -- 到期 due
);
create index if not exists bl_dq on bl (dqms);
create table if not exists xh (            -- 序号 counters
  lb    text primary key,
  n     integer not null
);
create table if not exists wz (            -- 位置 what the reader of happenings has acknowledged
  dzf   text primary key,
  ybh   text not null
);
