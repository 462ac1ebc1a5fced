import { join } from 'node:path'

/**
 * Configuration for an apt that keeps everything in `work`; see apt.conf(5). The machine's own configuration is read before it
 * (a proxy may be there), but none of its hooks run: they are meant for the system's package lists.
 */
export function formatAptConfig(work: string): string {
  const hooks = ['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success']
  const settings: Record<string, string> = {
    'Dir::State': work,
    'Dir::State::lists': join(work, 'lists'),
    'Dir::State::status': join(work, 'status'),
    'Dir::Cache': join(work, 'cache'),
    'Dir::Cache::archives': join(work, 'cache', 'archives'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(work, 'sources'),
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    // Run by root, apt would download as user _apt, who cannot enter a folder in root's home.
    'APT::Sandbox::User': 'root',
    'APT::Default-Release': '',
    'APT::Get::AllowUnauthenticated': 'false',
    'APT::Keep-Downloaded-Packages': 'true',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  }
  const clears = [...hooks, 'DPkg::Pre-Invoke', 'DPkg::Post-Invoke', 'DPkg::Pre-Install-Pkgs', 'Acquire::IndexTargets']
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";`)
  return `${clears.map((name) => `#clear ${name};`).join('\n')}\n${INDEX_TARGETS}\n${lines.join('\n')}\n`
}

/** Only the lists of packages and of source packages; the machine's configuration may ask for icons, contents and more. */
const INDEX_TARGETS = `Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "0";
};
Acquire::IndexTargets::deb-src::Sources {
  MetaKey "$(COMPONENT)/source/Sources";
  flatMetaKey "Sources";
  ShortDescription "Sources";
  Description "$(RELEASE)/$(COMPONENT) Sources";
  flatDescription "$(RELEASE) Sources";
  Optional "0";
};`

/** Percent of a download from a line of APT::Status-Fd, `dlstatus:file:percent:text`; undefined for other lines. */
export function parseAptProgress(line: string): number | undefined {
  const match = /^dlstatus:\d+:(\d+(?:\.\d+)?):/.exec(line)
  return match?.[1] === undefined ? undefined : Math.min(100, Number(match[1]))
}

/** What os-release(5) says. */
export function parseOsRelease(text: string): { id: string; codename: string } {
  const value = (name: string) => new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(text)?.[1] ?? ''
  return { id: value('ID'), codename: value('VERSION_CODENAME') }
}
