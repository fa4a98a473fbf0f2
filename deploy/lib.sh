# lib.sh: what the scripts in deploy/ share. Sourced by them, never run.
#
# The cache (THAW_CACHE, else thaw/ in the user's cache folder) holds what is fetched as Debian packages and
# never committed: SoftFloat's and TestFloat's sources, the guest's kernel and firmware. Every folder in it appears whole or
# not at all: it is made under another name and renamed.

THAW_CACHE=${THAW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/thaw}

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 3; }

# The machine's own mirror of Debian's main archive, from its apt configuration: deb822 files, then one-line
# ones. A security archive holds no full suite, so it is passed over.
apt_mirror() {
    local files=() f
    for f in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] && files+=("$f")
    done
    [ ${#files[@]} -gt 0 ] || return 1
    awk '
        function offer(uri) {
            if (uri ~ /^(https?|ftp|file|copy):/ && uri !~ /security/) { print uri; found = 1; exit }
        }
        function stanza(   n, i, list) {
            if (uris != "" && enabled && components ~ /(^|[ \t])main([ \t]|$)/) {
                n = split(uris, list, /[ \t]+/)
                for (i = 1; i <= n; i++) offer(list[i])
            }
            uris = ""; components = ""; enabled = 1
        }
        FNR == 1 { stanza() }
        /^[ \t]*#/ { next }
        FILENAME ~ /\.sources$/ && /^[ \t]*$/ { stanza(); next }
        FILENAME ~ /\.sources$/ && tolower($1) == "uris:" { $1 = ""; sub(/^ /, ""); uris = $0; next }
        FILENAME ~ /\.sources$/ && tolower($1) == "components:" { $1 = ""; components = $0; next }
        FILENAME ~ /\.sources$/ && tolower($1) == "enabled:" { enabled = tolower($2) != "no"; next }
        FILENAME !~ /\.sources$/ && $1 == "deb" {
            line = $0; sub(/\[[^]]*\]/, "", line)
            split(line, word, /[ \t]+/)
            if (line ~ /[ \t]main([ \t]|$)/) offer(word[2])
        }
        END { if (!found) stanza(); exit !found }
    ' "${files[@]}" | grep -m1 .
}

# private_apt FOLDER ARCH SOURCE-LINE-HEAD SUITE: writes an apt configuration that lives in FOLDER alone, so that
# neither the machine's package lists nor dpkg learn anything of it. The machine's proxy settings still hold.
private_apt() {
    local folder=$1 arch=$2 kind=$3 suite=$4 mirror keyring option=""
    mirror=$(apt_mirror) || die "no mirror of Debian's main archive in this machine's apt configuration"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f $keyring ] && option=" signed-by=$keyring"
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    echo "$kind [arch=$arch$option] $mirror $suite main" >"$folder/sources.list"
    cat >"$folder/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "$folder/lists";
Dir::State::status "/dev/null";
Dir::Cache "$folder/cache";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
END
}

# One build a cache at a time: two checkouts may share it.
cache_lock() {
    mkdir -p "$THAW_CACHE" || die "cannot make the cache folder $THAW_CACHE"
    exec 8>"$THAW_CACHE/.lock"
    flock 8
}

# source_tree HOME PACKAGE SUITE MEGABYTES FOLDER MARK: puts FOLDER of Debian's source package PACKAGE of SUITE into HOME:
# its source/ and its terms. MARK is a file in source/ that tells that it is the right one, and whole.
source_tree() {
    local home=$1 package=$2 suite=$3 folder=$5 mark=$6 work tree text apt
    cache_lock
    if [ -f "$home/source/$mark" ]; then
        say "already in $home/source"
        return
    fi
    work=$(mktemp -d "$THAW_CACHE/.${home##*/}.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT

    say "fetching the source package $package of Debian $suite ($4 MB)"
    private_apt "$work/apt" "$(dpkg --print-architecture)" deb-src "$suite"
    apt=(apt-get -q -q -c "$work/apt/apt.conf")
    "${apt[@]}" update || die "apt could not read the list of source packages"
    (cd "$work" && "${apt[@]}" source --download-only "$package" >&2) ||
        die "apt could not fetch the source package $package"

    say "unpacking its $folder"
    mkdir "$work/all" "$work/home"
    tar -xf "$work/${package}"_*.orig.tar.* -C "$work/all" --wildcards "*/$folder/*"
    tree=$(find "$work/all" -type d -path "*/$folder" | head -n 1)
    [ -f "$tree/source/$mark" ] || die "the package holds no $folder/source/$mark"
    mv "$tree/source" "$work/home/source"
    for text in COPYING.txt README.txt; do
        [ ! -f "$tree/$text" ] || mv "$tree/$text" "$work/home/"
    done
    rm -rf "$home"
    mv "$work/home" "$home"
    say "done: $home/source"
}
