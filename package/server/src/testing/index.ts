export { createFakeLog, FakeAudit, FakeGate, FakePolicies } from './port.ts';
export { keeperSamples, nexusSamples, samplePath, type Samples } from './sample.ts';
export { Stage, type Call } from './stage.ts';
export { TestSource, TestWorld } from './world.ts';
