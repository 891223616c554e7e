// Builds SPIRE's server and agent, so that tests which start at the same time find them.
import { buildSpire } from './build.ts';

const { server, agent } = await buildSpire();
process.stdout.write(`${server}\n${agent}\n`);
