/*
 * Which environment variables ERDDAPUtil maps to which settings. Of these, 42 have a stray comma in the name of the setting
 * (`",hostname"`), so what they say is never read. (`erddaputil/common.py`, 0.3.4)
 */

const READ: Readonly<Record<string, string>> = {
  SECRET_KEY: 'secret_key',
  USE_LOCAL_DAEMON: 'use_local_daemon',
  USE_AMPQ_EXCHANGE: 'use_ampq_exchange',
  METRICS_MANAGER: 'metrics_manager',
  COMPILE_ON_BOOT: 'compile_on_boot',
  CREATE_DEFAULT_USER_ON_BOOT: 'create_default_user_on_boot',
  ERDDAP_DATASETS_XML_TEMPLATE: 'erddap.datasets_xml_template',
  ERDDAP_DATASETS_D: 'erddap.datasets_d',
  ERDDAP_BIG_PARENT_DIRECTORY: 'erddap.big_parent_directory',
  ERDDAP_DATASETS_XML: 'erddap.datasets_xml',
  ERDDAP_BASE_URL: 'erddap.base_url',
  STATUS_SCRAPER_MEMORY_PATH: 'status_scraper.memory_path',
  STATUS_SCRAPER_ENABLED: 'status_scraper.enabled',
  STATUS_SCRAPER_SLEEP_TIME_SECONDS: 'status_scraper.sleep_time_seconds',
  SHOW_CONFIG: 'show_config',
  FIX_ERDDAP_BPD_PERMISSIONS: 'fix_erddap_bpd_permissions',
}

const IGNORED =
  /^ERDDAPUTIL_(?:(?:AMPQ|WEBAPP|LOCALPROM|DAEMON|SERVICE|DATASET_MANAGER)_\w+|ERDDAP_(?:SUBSCRIPTION_BLOCK_LIST|IP_BLOCK_LIST|UNLIMITED_ALLOW_LIST)|LOGMAN_(?:ENABLED|RETENTION_DAYS|SLEEP_TIME_SECONDS))$/

const BOOLEANS = new Set([
  'use_local_daemon',
  'use_ampq_exchange',
  'compile_on_boot',
  'create_default_user_on_boot',
  'status_scraper.enabled',
  'show_config',
  'fix_erddap_bpd_permissions',
])

type Environment = Readonly<Record<string, string | undefined>>

/** What the environment says over the file, by dotted name, as ERDDAPUtil reads it. */
export function fromEnvironment(env: Environment): ReadonlyMap<string, string | boolean> {
  const found = new Map<string, string | boolean>()
  for (const [name, path] of Object.entries(READ)) {
    const text = env[`ERDDAPUTIL_${name}`]
    if (text !== undefined && text !== '') found.set(path, BOOLEANS.has(path) ? true : text)
  }
  return found
}

/** What somebody set in the environment and ERDDAPUtil does not do. Names only: a value may be a password. */
export function trapsIn(env: Environment): readonly string[] {
  const names = Object.keys(env).filter((name) => env[name] !== undefined && env[name] !== '')
  const ignored = names.filter((name) => IGNORED.test(name)).toSorted()
  const misread = Object.entries(READ).filter(
    ([name, path]) => BOOLEANS.has(path) && /^(?:false|no|off|0)$/i.test(env[`ERDDAPUTIL_${name}`] ?? ''),
  )
  return [
    ...ignored.map(
      (name) => `${name} is set, but ERDDAPUtil never reads it (a stray comma in its own table): the file counts`,
    ),
    ...misread.map(([name]) => `ERDDAPUTIL_${name} says no, but ERDDAPUtil takes any text for yes`),
  ]
}
