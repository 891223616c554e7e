import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsOf } from './problem.ts';
import { sampleReport as report } from './testing/report.ts';

const outline = { digest: 'ab', counts: [{ table: 'secret', rows: 3 }] } as const;

test('a report is believed of the content that was checked here, and of all of it', () => {
  assert.deepEqual(problemsOf(report, outline), []);
  assert.match(problemsOf({ ...report, digest: 'cd' }, outline).join(), /another content/);
  assert.match(problemsOf({ ...report, opened: 2 }, outline).join(), /2 of 3 records/);
  assert.match(problemsOf({ ...report, whole: false }, outline).join(), /vouches/);
  assert.deepEqual(problemsOf({ ...report, problems: ['x'], whole: false, opened: 2 }, outline), ['x']);
});
