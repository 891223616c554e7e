export { runPart, type PartContext } from './part.ts';
