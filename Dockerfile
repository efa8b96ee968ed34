# syntax=docker/dockerfile:1

# 1. Build: all dependencies, TypeScript to dist/. The npm package `node` is a development tool that downloads a Node of its
#    own; the image has one, so install scripts stay off.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json

# 2. What runs needs: dependencies without the development ones.
FROM node:24-trixie-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# 3. An empty store that belongs to the user of the image: a named volume mounted there takes this owner and mode over.
FROM node:24-trixie-slim AS store
RUN install -d -m 0700 -o 65532 -g 65532 /store

# 4. The image: Node, Portico, nothing else; no shell, no package manager.
FROM gcr.io/distroless/nodejs24-debian13:nonroot
WORKDIR /app
ENV NODE_ENV=production PORTICO_CONFIG=/etc/portico/portico.yaml
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY --from=store --chown=65532:65532 /store /var/lib/portico
USER 65532:65532
VOLUME ["/var/lib/portico"]
EXPOSE 443 8448 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["/nodejs/bin/node", "/app/dist/main.js", "health"]
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
CMD ["run"]
