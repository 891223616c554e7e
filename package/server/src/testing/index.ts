export { createFakeLog, FakeAudit, FakeGate, FakePolicies, FakeSessions, fitFor } from './port.ts';
export { createContext, grantTo } from './handler.ts';
export { keeperSamples, nexusSamples, samplePath, type Samples } from './sample.ts';
export { Stage, type Call } from './stage.ts';
export { TestSource, TestWorld } from './world.ts';
