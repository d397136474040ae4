// Command dex serves dex's own OpenID Connect server with a fixed list of accounts. Dex's ready
// made command needs a module for its gRPC API that can't be had at this version; the server
// itself doesn't. Accounts are re-read on SIGHUP, so that a test can change someone's groups.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/connectors"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/server/tokens"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"golang.org/x/crypto/bcrypt"
)

type account struct {
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Password string   `json:"password"`
	Groups   []string `json:"groups"`
}

type config struct {
	Listen   string           `json:"listen"`
	Issuer   string           `json:"issuer"`
	Clients  []storage.Client `json:"clients"`
	Accounts []account        `json:"accounts"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dex CONFIG.json")
		os.Exit(2)
	}
	if err := serve(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func read(path string) (config, error) {
	var c config
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(data, &c)
}

func serve(ctx context.Context, path string) error {
	c, err := read(path)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	accounts := memory.New(logger)
	if err := setAccounts(ctx, accounts, c.Accounts); err != nil {
		return err
	}
	store := storage.WithStaticClients(accounts, c.Clients)
	store = storage.WithStaticConnectors(store, []storage.Connector{
		{ID: connectors.LocalConnector, Name: "Email", Type: connectors.LocalConnector},
	})
	handler, err := newServer(ctx, c, store, logger)
	if err != nil {
		return err
	}
	go reload(ctx, path, accounts, logger)
	logger.Info("listening", "address", c.Listen, "issuer", c.Issuer)
	return http.ListenAndServe(c.Listen, handler)
}

func newServer(ctx context.Context, c config, store storage.Storage, logger *slog.Logger) (http.Handler, error) {
	const tokenLife = time.Hour
	now := func() time.Time { return time.Now().UTC() }
	local := signer.LocalConfig{KeysRotationPeriod: "6h"}
	keys, err := local.Open(ctx, store, tokenLife, now, logger)
	if err != nil {
		return nil, err
	}
	refresh, err := tokens.NewRefreshTokenPolicy(logger, false, "", "", "3s")
	if err != nil {
		return nil, err
	}
	return server.NewServer(ctx, server.Config{
		Issuer:             c.Issuer,
		Storage:            store,
		SkipApprovalScreen: true,
		PasswordConnector:  connectors.LocalConnector,
		Logger:             logger,
		Now:                now,
		Signer:             keys,
		IDTokensValidFor:   tokenLife,
		RefreshTokenPolicy: refresh,
	})
}

// setAccounts makes the stored accounts equal to the given ones.
func setAccounts(ctx context.Context, store storage.Storage, accounts []account) error {
	old, err := store.ListPasswords(ctx)
	if err != nil {
		return err
	}
	for _, p := range old {
		if err := store.DeletePassword(ctx, p.Email); err != nil {
			return err
		}
	}
	for _, a := range accounts {
		hash, err := bcrypt.GenerateFromPassword([]byte(a.Password), bcrypt.DefaultCost)
		if err != nil {
			return err
		}
		verified := true
		err = store.CreatePassword(ctx, storage.Password{
			Email: a.Email, Hash: hash, Username: a.Name, Name: a.Name, PreferredUsername: a.Name,
			EmailVerified: &verified, UserID: "id-" + a.Name, Groups: a.Groups,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func reload(ctx context.Context, path string, store storage.Storage, logger *slog.Logger) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	for range hangups {
		c, err := read(path)
		if err == nil {
			err = setAccounts(ctx, store, c.Accounts)
		}
		logger.Info("accounts read again", "error", err)
	}
}
