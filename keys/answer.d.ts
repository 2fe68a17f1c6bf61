/** What a command comes to. The exit codes are for scripts and stand in `--help`. */
export declare const exitCodes: {
    readonly done: 0;
    readonly refused: 1;
    readonly usage: 2;
    readonly unavailable: 3;
};
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
export interface Answer {
    /** For people. */
    readonly text: string;
    /** For programs: what `--json` prints. */
    readonly json: unknown;
    /** `done` unless it says otherwise. */
    readonly exitCode?: ExitCode;
}
/** Something the operator can mend: said in one sentence, without a stack trace and without any secret. */
export declare class Refusal extends Error {
    readonly name = "Refusal";
    readonly exitCode: ExitCode;
    constructor(message: string, exitCode?: ExitCode);
}
