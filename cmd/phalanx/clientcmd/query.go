package clientcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// QueryCommand returns `phalanx query`: the queries of modules, as their autocli options describe them. It fails where
// the options name a service, method or field that the modules' protobuf does not have.
func QueryCommand(modules ...*autocliv1.ModuleOptions) (*cobra.Command, error) {
	o := &options{}
	cmd := &cobra.Command{
		Use: "query", Short: "The chain's modules, on the node's word", Args: cobra.NoArgs,
		Long: "Queries of the chain's modules as the node answers them, without proofs. What is to be believed is shown by " +
			"`phalanx worker`, `cluster`, `contract` and `gatekeeper`, which verify it.",
	}
	o.addTo(cmd)
	for _, m := range modules {
		sub, err := moduleCommand(o, m.Query)
		if err != nil {
			return nil, err
		}
		cmd.AddCommand(sub)
	}
	return cmd, nil
}

func moduleCommand(o *options, s *autocliv1.ServiceCommandDescriptor) (*cobra.Command, error) {
	d, err := gogoproto.HybridResolver.FindDescriptorByName(protoreflect.FullName(s.Service))
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", s.Service, err)
	}
	service, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is no service", s.Service)
	}
	name := strings.Split(s.Service, ".")[1]
	cmd := &cobra.Command{Use: name, Short: "Query the " + name + " module", Args: cobra.NoArgs}
	for _, rpc := range s.RpcCommandOptions {
		if rpc.Skip {
			continue
		}
		method := service.Methods().ByName(protoreflect.Name(rpc.RpcMethod))
		if method == nil {
			return nil, fmt.Errorf("%s has no method %s", s.Service, rpc.RpcMethod)
		}
		sub, err := methodCommand(o, method, rpc)
		if err != nil {
			return nil, err
		}
		cmd.AddCommand(sub)
	}
	return cmd, nil
}

// methodCommand is one query: its positional arguments are fields, the other scalar fields are flags.
func methodCommand(o *options, method protoreflect.MethodDescriptor, rpc *autocliv1.RpcCommandOptions) (*cobra.Command, error) {
	fields := method.Input().Fields()
	var positional []protoreflect.FieldDescriptor
	taken := map[protoreflect.Name]bool{}
	for _, p := range rpc.PositionalArgs {
		f := fields.ByName(protoreflect.Name(p.ProtoField))
		if f == nil || !settable(f) {
			return nil, fmt.Errorf("%s has no scalar field %s", method.Input().FullName(), p.ProtoField)
		}
		positional = append(positional, f)
		taken[f.Name()] = true
	}
	cmd := &cobra.Command{Use: rpc.Use, Short: rpc.Short, Args: cobra.ExactArgs(len(positional))}
	flags := map[protoreflect.FieldDescriptor]*string{}
	for i := range fields.Len() {
		f := fields.Get(i)
		if settable(f) && !taken[f.Name()] {
			flags[f] = cmd.Flags().String(strings.ReplaceAll(string(f.Name()), "_", "-"), "", f.Kind().String())
		}
	}
	page := fields.ByName("pagination")
	var limit, offset uint64
	if page != nil {
		cmd.Flags().Uint64Var(&limit, "limit", 100, "at most so many")
		cmd.Flags().Uint64Var(&offset, "offset", 0, "after so many")
	}
	cmd.RunE = o.online(func(ctx context.Context, s *session, args []string) (result, error) {
		method, err := resolved(method)
		if err != nil {
			return nil, err
		}
		in := dynamicpb.NewMessage(method.Input())
		for i, f := range positional {
			if err := set(in, f.Name(), args[i]); err != nil {
				return nil, err
			}
		}
		for f, text := range flags {
			if *text == "" {
				continue
			}
			if err := set(in, f.Name(), *text); err != nil {
				return nil, err
			}
		}
		if page != nil {
			f := method.Input().Fields().ByName(page.Name())
			p := in.Mutable(f).Message()
			p.Set(f.Message().Fields().ByName("limit"), protoreflect.ValueOfUint64(limit))
			p.Set(f.Message().Fields().ByName("offset"), protoreflect.ValueOfUint64(offset))
		}
		return s.ask(ctx, method, in)
	})
	return cmd, nil
}

// resolved returns a method with every message that it refers to. The descriptors that commands are made from leave
// those of other files open, since to resolve them takes a while that only a query is worth.
func resolved(method protoreflect.MethodDescriptor) (protoreflect.MethodDescriptor, error) {
	files, err := gogoproto.MergedRegistry()
	if err != nil {
		return nil, fmt.Errorf("protobuf registry: %w", err)
	}
	d, err := files.FindDescriptorByName(method.FullName())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method.FullName(), err)
	}
	return d.(protoreflect.MethodDescriptor), nil
}

// ask runs the query.
func (s *session) ask(ctx context.Context, method protoreflect.MethodDescriptor, in *dynamicpb.Message) (result, error) {
	request, err := proto.Marshal(in)
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	raw, err := s.node.QueryRaw(ctx, path, request)
	if err != nil {
		return nil, err
	}
	out := dynamicpb.NewMessage(method.Output())
	if err := proto.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return moduleAnswer{text}, nil
}

// settable reports whether a field can be given as one word.
func settable(f protoreflect.FieldDescriptor) bool {
	if f.IsList() || f.IsMap() {
		return false
	}
	switch f.Kind() {
	case protoreflect.StringKind, protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.BoolKind:
		return true
	}
	return false
}

func set(m *dynamicpb.Message, name protoreflect.Name, text string) error {
	f := m.Descriptor().Fields().ByName(name)
	var v protoreflect.Value
	var err error
	switch f.Kind() {
	case protoreflect.StringKind:
		v = protoreflect.ValueOfString(text)
	case protoreflect.BoolKind:
		var b bool
		b, err = strconv.ParseBool(text)
		v = protoreflect.ValueOfBool(b)
	case protoreflect.Uint32Kind:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 32)
		v = protoreflect.ValueOfUint32(uint32(n))
	default:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		v = protoreflect.ValueOfUint64(n)
	}
	if err != nil {
		return usage("%s: %q is no %s", f.Name(), text, f.Kind())
	}
	m.Set(f, v)
	return nil
}

// moduleAnswer is a module's answer in protobuf's JSON.
type moduleAnswer struct{ json.RawMessage }

func (a moduleAnswer) text(w io.Writer) {
	var out bytes.Buffer
	if json.Indent(&out, a.RawMessage, "", "  ") != nil {
		out.Write(a.RawMessage)
	}
	fmt.Fprintln(w, out.String())
}
