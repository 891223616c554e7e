import { homeOf } from '@spike/config';
import { formatFindings } from '../doctor/finding.ts';
import { checkMachine } from '../doctor/machine.ts';
import { checkSystem } from '../doctor/system.ts';
import type { Invocation } from '../invocation.ts';
import { show } from '../output/show.ts';

/** Exits with 1 when something is bad; what is only to be known, or could not be looked at, does not count. */
export async function runDoctor(invocation: Invocation): Promise<void> {
  const home = homeOf(invocation.env);
  const findings = [...(await checkMachine(home)), ...(await checkSystem(invocation, home))];
  const bad = findings.filter(({ outcome }) => outcome === 'bad').length;
  await show(invocation, {
    human: (paint) =>
      `${formatFindings(findings, paint)}\n${bad === 0 ? 'Nothing is wrong.' : `${bad} to mend.`}\n`,
    value: { well: bad === 0, findings },
  });
  if (bad > 0) process.exitCode = 1;
}
