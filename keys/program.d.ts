/** How the operator's tools are run: what they refuse becomes one sentence on stderr and an exit code. */
import { type Command } from 'commander';
export declare function runProgram(program: Command): Promise<void>;
