import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { metricPage } from './metric-page.ts';
import { root } from './step.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

test('the example rules ask for figures and labels that there are, and say what to do', () => {
  const text = readFileSync(join(root, 'deploy/prometheus/spike.yaml'), 'utf8');
  const { groups } = parse(text) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  assert.ok(rules.length >= 8);
  const known = new Set([...metricPage().matchAll(/^\| `(spike_\w+)`/gm)].map(([, name]) => name));
  for (const { alert, expr, labels, annotations } of rules) {
    const asked = expr.match(/spike_\w+/g) ?? [];
    for (const name of asked) {
      assert.ok(known.has(name.replace(/_(?:bucket|count|sum)$/, '')), `${alert} asks for ${name}`);
    }
    assert.ok(asked.length > 0 || expr.startsWith('up{'), alert);
    assert.match(labels.severity, /^(?:critical|warning)$/);
    assert.ok(annotations.summary.length > 10 && annotations.description.length > 10, alert);
  }
});
