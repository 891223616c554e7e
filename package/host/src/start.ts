// What the entry of an executable runs before anything else, with as little behind it as can be.
export { startClean } from './clean-start.ts';
export { chooseProgram } from './program.ts';
