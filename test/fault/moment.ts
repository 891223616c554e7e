import { action, call, fileClass, type Trap } from './control.ts';

const { store, wal, log, anchor } = fileClass;
const before = action.killBefore;
const after = action.killAfter;

/** A moment in the life of a write at which Nexus is killed; `most` is up to the how manyeth of these calls from now. */
export interface Moment {
  readonly name: string;
  readonly trap: Omit<Trap, 'at'>;
  readonly most: number;
  /** It comes while Nexus starts, too. */
  readonly atStart?: boolean;
}

/** Named by what happens on the disk, so that the program that is killed needs to know nothing of it. */
export const moments: readonly Moment[] = [
  {
    name: 'before a frame of a commit is written',
    trap: { classes: wal, calls: call.write, action: before },
    most: 60,
  },
  {
    name: 'between two frames of a commit',
    trap: { classes: wal, calls: call.write, action: after },
    most: 60,
  },
  {
    name: 'just before a commit is synced',
    trap: { classes: wal, calls: call.sync, action: before },
    most: 10,
  },
  {
    name: 'after the commit, before its record and its answer',
    trap: { classes: wal, calls: call.sync, action: after },
    most: 10,
  },
  {
    name: 'before the record is appended to the audit',
    trap: { classes: log, calls: call.write, action: before },
    most: 20,
  },
  {
    name: 'after the record was appended, before its sync and the answer',
    trap: { classes: log, calls: call.write, action: after },
    most: 20,
  },
  {
    name: 'just before the audit is synced',
    trap: { classes: log, calls: call.sync, action: before },
    most: 2,
  },
  {
    name: 'just after the audit was synced',
    trap: { classes: log, calls: call.sync, action: after },
    most: 2,
  },
  {
    name: 'before the anchor is replaced',
    trap: { classes: anchor, calls: call.rename, action: before },
    most: 2,
  },
  {
    name: 'after the anchor was replaced',
    trap: { classes: anchor, calls: call.rename, action: after },
    most: 2,
  },
  {
    name: 'between two pages of a checkpoint',
    trap: { classes: store, calls: call.write, action: after },
    most: 20,
  },
  {
    name: 'before a checkpoint is synced',
    trap: { classes: store, calls: call.sync, action: before },
    most: 1,
  },
  {
    name: 'after a checkpoint was synced',
    trap: { classes: store, calls: call.sync, action: after },
    most: 1,
  },
  {
    name: 'while the store is opened and recovered',
    trap: { classes: store + wal, calls: call.read + call.open + call.write, action: after },
    most: 40,
    atStart: true,
  },
  {
    name: 'while the audit is opened and brought up to the store',
    trap: { classes: log, calls: call.open + call.write + call.sync + call.truncate, action: after },
    most: 4,
    atStart: true,
  },
];
