export { describeContract } from './document.ts';
