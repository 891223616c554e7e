# Where the spike command finds the system: /etc/profile.d/spike.sh
export PATH="$PATH:/opt/spike/bin"
export SPIFFE_ENDPOINT_SOCKET=unix:///run/spire-agent/public/api.sock
export SPIKE_NEXUS_API_URL=https://vault:8553
export SPIKE_TRUST_ROOT=spike.ist
