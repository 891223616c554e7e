# Where spire-server finds its server: /etc/profile.d/spire.sh
export PATH="$PATH:/opt/spire/bin"
export SPIRE_SERVER_PRIVATE_SOCKET=/run/spire-server/private/api.sock
