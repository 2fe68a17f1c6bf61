import type { Reporter, TestModule } from 'vitest/node'

/** Ends the run with the line `N passed, N failed`, counted by the runner. A file that does not load is a failure. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const passed = tests.filter((test) => test.result().state === 'passed').length
    const broken = modules.filter((module) => module.errors().length > 0).length
    // What was set aside counts as failed too: nothing is skipped.
    const failed = tests.length - passed + broken + errors.length
    process.on('exit', () => process.stdout.write(`${passed} passed, ${failed} failed\n`))
    if (failed > 0) process.exitCode = 1
  }
}
