import { execFileSync, spawnSync } from 'node:child_process'

/** True if xmlstarlet is there, or could be installed: that needs root and Debian's packages. */
export function isInstalled(): boolean {
  if (spawnSync('xmlstarlet', ['--version'], { stdio: 'ignore' }).status === 0) return true
  const options = ['install', '-y', '--no-install-recommends', 'xmlstarlet']
  return spawnSync('apt-get', options, { stdio: 'ignore' }).status === 0
}

/**
 * Concatenates fragments the way that container images do: every file in order through xmlstarlet, which takes the
 * declarations off and stops at what is no XML, then the whole through it once more. Answers the milliseconds it took.
 */
export function concatenate(source: string, target: string): number {
  const script = `{ echo '<erddapDatasets>'
    find "$1" -name '*.xml' -type f -print0 | sort -z | xargs -0 xmlstarlet edit --omit-decl
    echo '</erddapDatasets>'; } | xmlstarlet edit --inplace > "$2"`
  const started = performance.now()
  execFileSync('bash', ['-euo', 'pipefail', '-c', script, 'concatenate', source, target])
  return performance.now() - started
}
